/* wire/core.h - the readers and writers behind hy_core_messages; for this room only. */
#ifndef HY_WIRE_CORE_H
#define HY_WIRE_CORE_H

#include "wire/message.h"

void hy_ping_read(struct hypha_reader *r, void *ret_message);
void hy_ping_write(struct hypha_writer *w, const void *message);
void hy_getaddr_read(struct hypha_reader *r, void *ret_message);
void hy_getaddr_write(struct hypha_writer *w, const void *message);
void hy_addr_read(struct hypha_reader *r, void *ret_message);
void hy_addr_write(struct hypha_writer *w, const void *message);
void hy_version_read(struct hypha_reader *r, void *ret_message);
void hy_version_write(struct hypha_writer *w, const void *message);
void hy_verack_read(struct hypha_reader *r, void *ret_message);
void hy_verack_write(struct hypha_writer *w, const void *message);

#define HY_GETADDR_MAX_BYTES 57
#define HY_VERSION_MAX_BYTES 2043
#define HY_VERACK_MAX_BYTES  128

#endif
