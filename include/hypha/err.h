/* hypha/err.h - every way in which a call of this library can fail: number, name, text.
 *
 * One list makes the enum, the names and the texts. Numbers never change; new ones are
 * appended. All are negative, so that no count passes for an error and no error for a count.
 *
 * Threads: all functions here, any thread. */
#ifndef HYPHA_ERR_H
#define HYPHA_ERR_H

#include <hypha/api.h>

HYPHA_BEGIN_DECLS

/* clang-format off */
#define HYPHA_ERRORS(X)                                                                    \
    /* the machine and the caller */                                                       \
    X(NOMEM,           -1, "out of memory")                                                \
    X(SYSTEM,          -2, "the operating system refused")                                 \
    X(STATE,           -3, "not possible in this state")                                   \
    X(INVALID,         -4, "invalid argument")                                             \
    X(SETTINGS,        -5, "invalid settings")                                             \
    X(AGAIN,           -6, "the send queue is full, try again later")                      \
    X(LIMIT,           -7, "a limit is exceeded")                                          \
    X(EXISTS,          -8, "exists already")                                               \
    X(NOT_FOUND,       -9, "not found")                                                    \
    X(CANCELLED,      -10, "cancelled")                                                    \
    X(UNSUPPORTED,    -11, "not supported")                                                \
    X(FILES,          -12, "too many open files")                                          \
    X(IO,             -13, "input/output error")                                           \
    X(ACCESS,         -14, "permission denied")                                            \
    /* bytes that do not parse: wire.md section 1 and 2 */                                 \
    X(TRUNCATED,      -30, "the data ends too early")                                      \
    X(TRAILING,       -31, "bytes are left over")                                          \
    X(VARINT,         -32, "a variable-length integer is not minimal")                     \
    X(UTF8,           -33, "text is not valid UTF-8")                                      \
    X(URL,            -34, "not a valid URL")                                              \
    X(SEMVER,         -35, "not a semantic version")                                       \
    X(MALFORMED,      -36, "malformed")                                                    \
    /* the network below */                                                                \
    X(EOF,            -60, "the peer closed the connection")                               \
    X(RESET,          -61, "connection reset")                                             \
    X(REFUSED,        -62, "connection refused")                                           \
    X(TIMEOUT,        -63, "timed out")                                                    \
    X(UNREACHABLE,    -64, "network unreachable")                                          \
    X(RESOLVE,        -65, "the name cannot be resolved")                                  \
    X(ADDR_IN_USE,    -66, "address already in use")                                       \
    X(ADDR_NOT_AVAILABLE, -67, "address not available on this machine")                    \
    X(TLS,            -68, "TLS handshake failed")                                         \
    X(CERTIFICATE,    -69, "the peer's certificate is not acceptable")                     \
    /* what a peer did: wire.md 2.2 */                                                     \
    X(MAGIC,          -90, "wrong magic bytes: the peer is of another network")            \
    X(COMMAND_LENGTH, -91, "command longer than 255 bytes")                                \
    X(COMMAND_TEXT,   -92, "command is malformed")                                         \
    X(COMMAND_UNKNOWN, -93, "unknown command")                                             \
    X(PAYLOAD_LENGTH, -94, "payload longer than its command allows")                       \
    X(PAYLOAD,        -95, "payload cannot be decoded")                                    \
    X(PAYLOAD_UNLIMITED, -96, "payload longer than the configured cap")                    \
    X(METERING,       -97, "too many messages")                                            \
    X(VERSION,        -98, "the peer's app name or version differs")                       \
    X(HANDSHAKE_TIMEOUT, -99, "the version handshake timed out")                           \
    X(PING_TIMEOUT,  -100, "no pong in time")                                              \
    X(PONG_NONCE,    -101, "pong with a wrong nonce")                                      \
    X(EOF_IN_FRAME,  -102, "the peer closed the connection inside a frame")                \
    X(PAYLOAD_PREFIX, -103, "payload length is malformed")                                 \
    X(SELF,          -104, "connected to ourselves")                                       \
    /* the node: network.md */                                                             \
    X(CHANNEL_STOPPED,   -120, "channel stopped")                                          \
    X(NETWORK_STOPPED,   -121, "network service stopped")                                  \
    X(CONNECTOR_STOPPED, -122, "connector stopped")                                        \
    X(CONNECT_FAILED,    -123, "connect failed")                                           \
    X(UNSUPPORTED_TRANSPORT, -124, "no transport for this scheme")                         \
    X(BAD_ADDRESS,       -125, "the address has no usable host, port or path")             \
    X(HOST_BLOCKED,      -126, "the host is in another state")                             \
    X(BANNED,            -127, "the peer is banned")                                       \
    X(BROADCAST_LIMIT,   -128, "too many broadcasts at once")                              \
    X(FULL,              -129, "all places are taken")
/* clang-format on */

enum hypha_err {
    HYPHA_OK = 0,
#define HYPHA_ERR_ENUM(name, number, text) HYPHA_ERR_##name = (number),
    HYPHA_ERRORS(HYPHA_ERR_ENUM)
#undef HYPHA_ERR_ENUM
};

/** The name without its prefix, such as "TIMEOUT"; "OK"; "UNKNOWN" for any other number. Static. */
HYPHA_API const char *hypha_err_name(enum hypha_err err);

/** A short English text for people, without full stop. Static; never NULL. */
HYPHA_API const char *hypha_err_text(enum hypha_err err);

HYPHA_END_DECLS

#endif
