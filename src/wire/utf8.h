/* wire/utf8.h - judge text at the speed at which messages come. */
#ifndef HY_WIRE_UTF8_H
#define HY_WIRE_UTF8_H

#include <hypha/wire.h>

/* As hy_span_is_utf8(), ASCII in large steps. */
bool hy_wire_is_utf8(struct hypha_span text);

#endif
