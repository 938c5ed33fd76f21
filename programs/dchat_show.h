/* dchat_show.h - what a peer wrote, made safe for a terminal. */
#ifndef DCHAT_SHOW_H
#define DCHAT_SHOW_H

#include <stddef.h>
#include <stdio.h>

/* Valid UTF-8 to `out`: control characters, and those that turn the writing direction, are
 * escaped (\n, \x1b, \u202e); all else as it is. */
void dchat_show(FILE *out, const char *text, size_t len);

#endif
