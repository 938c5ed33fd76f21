/* view_describe.c - an event as one line for people.
 *
 * A list of the fields that events have, in the order in which they read best; an event that
 * nobody foresaw is shown too, by what it has of them. spec: apps.md 6.1 */
#include "view/view_model_internal.h"

#include <stdio.h>
#include <string.h>

enum field_form { FORM_TEXT, FORM_NUMBER, FORM_BYTES };

static const struct field {
    const char *key;
    enum field_form form;
    const char *format;
} fields[] = {
    { "slot", FORM_NUMBER, "slot %" JSON_INTEGER_FORMAT },
    { "cmd", FORM_TEXT, "%s" },
    { "state", FORM_TEXT, "%s" },
    { "attempt", FORM_NUMBER, "attempt %" JSON_INTEGER_FORMAT },
    { "number", FORM_NUMBER, "%" JSON_INTEGER_FORMAT " hosts from" },
    { "addr", FORM_TEXT, "%s" },
    { "connect_addr", FORM_TEXT, "for %s" },
    { "list", FORM_TEXT, "is %s" },
    { "session", FORM_TEXT, "(%s)" },
    { "err", FORM_TEXT, "- %s" },
    { "dropped", FORM_NUMBER, "%" JSON_INTEGER_FORMAT " events were not told" },
    { "bytes", FORM_BYTES, "%" JSON_INTEGER_FORMAT " bytes" },
    { "channel_id", FORM_NUMBER, "#%" JSON_INTEGER_FORMAT },
};

/* The format is of this file's table. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void put_field(
    const struct field *field, const json_t *value, char *into, size_t size, size_t *len)
{
    char text[VIEW_MAX_TEXT];

    if (field->form == FORM_TEXT && json_is_string(value) && json_string_length(value) > 0)
        (void)snprintf(text, sizeof text, field->format, json_string_value(value));
    else if (field->form == FORM_NUMBER && json_is_integer(value))
        (void)snprintf(text, sizeof text, field->format, json_integer_value(value));
    else if (field->form == FORM_BYTES && json_integer_value(value) > 0)
        (void)snprintf(text, sizeof text, field->format, json_integer_value(value));
    else
        return;
    if (*len < size)
        *len += (size_t)snprintf(into + *len, size - *len, "%s%s", *len > 0 ? " " : "", text);
}
#pragma GCC diagnostic pop

/* Cutting by bytes may have left half a character. */
static void mend(char *text)
{
    size_t len = strlen(text), start = len;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0U) == 0x80U)
        start--;
    if (start == 0 || (unsigned char)text[start - 1] < 0xc0U)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xf0U ? 3 : lead >= 0xe0U ? 2 : 1;
    if (len - start < need)
        text[start - 1] = '\0';
}

void view_describe(const char *name, const json_t *info, char *into, size_t size)
{
    const json_t *channel = json_object_get(info, "chan");
    size_t len = 0;

    (void)name;
    into[0] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const json_t *value = json_object_get(info, fields[i].key);

        if (value == NULL)
            value = json_object_get(channel, fields[i].key);
        put_field(&fields[i], value, into, size, &len);
    }
    mend(into);
}
