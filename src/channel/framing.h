/* channel/framing.h - bytes in, frames out: magic, command, length, payload.
 *
 * Pure and incremental. A field that lies whole in the input is handed on in place; only one
 * that is cut off is kept, in a buffer that grows with the bytes that arrive, never with a
 * length that was only announced. What is wrong is noticed at the byte that shows it,
 * however the bytes were cut. spec: wire.md#21-frame
 *
 *   state    field complete           next
 *   MAGIC    equal                    CLEN
 *   CLEN     at most 255              COMMAND
 *   COMMAND  hy_framing_expect()      PLEN      or hy_framing_skip(): the same, then SKIP
 *   PLEN     at most the maximum      PAYLOAD   (more, and hy_framing_skip(): SKIP)
 *   PAYLOAD                           MAGIC
 *   SKIP                              MAGIC */
#ifndef HY_CHANNEL_FRAMING_H
#define HY_CHANNEL_FRAMING_H

#include <hypha/err.h>
#include <hypha/wire.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HY_MAGIC_BYTES 4

enum hy_framing_state {
    HY_FRAMING_MAGIC,
    HY_FRAMING_CLEN,
    HY_FRAMING_COMMAND,
    HY_FRAMING_PLEN,
    HY_FRAMING_PAYLOAD,
    HY_FRAMING_SKIP,
};

enum hy_framing_event {
    HY_FRAMING_ON_MORE,    /* the input is used up */
    HY_FRAMING_ON_COMMAND, /* `bytes` names one: answer with expect() or skip() */
    HY_FRAMING_ON_LENGTH,  /* asked for by expect(): `len` is the payload's */
    HY_FRAMING_ON_PAYLOAD, /* `bytes` is all of it */
    HY_FRAMING_ON_BROKEN,  /* `err` is: MAGIC, COMMAND_LENGTH, COMMAND_TEXT, PAYLOAD_PREFIX,
                              PAYLOAD_LENGTH, PAYLOAD_UNLIMITED, NOMEM */
};

/* Zeroed is a valid new one once `magic` and `cap` are set. */
struct hy_framing {
    uint8_t magic[HY_MAGIC_BYTES];
    uint8_t state; /* enum hy_framing_state */
    bool skipping; /* the payload is not wanted */
    bool announce; /* say ON_LENGTH */
    bool used;     /* `held` was handed out: empty it before the next field */
    uint64_t max;  /* of the payload; 0: cap */
    uint64_t cap;  /* for messages without a maximum of their own */
    uint64_t need; /* bytes of the present field; of SKIP: those left */
    uint8_t *held; /* the part of the field that is there */
    size_t held_len;
    size_t held_cap;
};

struct hy_framing_item {
    struct hypha_span bytes; /* in the input, or the framing's own until the next call */
    uint64_t len;
    enum hypha_err err;
};

void hy_framing_init(struct hy_framing *framing, const uint8_t magic[HY_MAGIC_BYTES], uint64_t cap);
void hy_framing_fini(struct hy_framing *framing);

/* Take the next thing off the front of `input`. After ON_BROKEN, going on is possible if
 * the error allows it: after PAYLOAD_LENGTH with hy_framing_skip(), after PAYLOAD_PREFIX as
 * it is (the next byte is taken for magic). */
enum hy_framing_event hy_framing_next(
    struct hy_framing *framing, struct hypha_span *input, struct hy_framing_item *ret_item);

/* The command is known. max: bytes of its payload, 0: none but the cap. announce: say ON_LENGTH. */
void hy_framing_expect(struct hy_framing *framing, uint64_t max, bool announce);
/* Read on behind the payload. After ON_COMMAND or PAYLOAD_LENGTH. */
void hy_framing_skip(struct hy_framing *framing);
/* Why a command that is in no table is refused: COMMAND_TEXT if it is no text, else
 * COMMAND_UNKNOWN. */
enum hypha_err hy_framing_unknown(struct hypha_span command);
/* Bytes of a frame have been taken, but not all: an end now is EOF_IN_FRAME. */
bool hy_framing_is_inside(const struct hy_framing *framing);

#endif
