/* view_once.h - --once: the model, said once. */
#ifndef VIEW_ONCE_H
#define VIEW_ONCE_H

#include "view/view_model.h"
#include <stdio.h>

/* As JSON on one line, or as text for people. False: no memory. */
bool view_once_print(FILE *out, const struct view_model *model, bool as_json, uint64_t now_ns);

#endif
