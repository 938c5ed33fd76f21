/* base/err.c - the one list of errors, as names and as texts. */
#include <hypha/err.h>

const char *hypha_err_name(enum hypha_err err)
{
    switch (err) {
    case HYPHA_OK:
        return "OK";
#define NAME_CASE(name, number, text)                                                              \
    case HYPHA_ERR_##name:                                                                         \
        return #name;
        HYPHA_ERRORS(NAME_CASE)
#undef NAME_CASE
    }
    return "UNKNOWN";
}

const char *hypha_err_text(enum hypha_err err)
{
    switch (err) {
    case HYPHA_OK:
        return "success";
#define TEXT_CASE(name, number, text)                                                              \
    case HYPHA_ERR_##name:                                                                         \
        return text;
        HYPHA_ERRORS(TEXT_CASE)
#undef TEXT_CASE
    }
    return "unknown error";
}
