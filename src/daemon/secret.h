/* daemon/secret.h - an access token from a file that only its owner should be able to read. */
#ifndef HY_DAEMON_SECRET_H
#define HY_DAEMON_SECRET_H

#include <hypha/err.h>
#include <stdbool.h>

#define HY_SECRET_MAX_BYTES 1024

/* The first line, without blanks around it.
 *  ret_secret  hy_secret_free() it
 *  ret_open    others than the owner may read or write the file
 * Errors: NOMEM; NOT_FOUND, ACCESS, IO; INVALID: nothing is in it; LIMIT: too much. */
enum hypha_err hy_secret_read(const char *path, char **ret_secret, bool *ret_open);
/* Wiped first. NULL does nothing. */
void hy_secret_free(char *secret);

#endif
