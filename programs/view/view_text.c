/* view_text.c - lines of columns that any terminal can be given, and numbers for people. */
#include "view/view_text.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#define MAX_MARKS 3 /* combining marks of one character; the rest are left out */

/* ---- pages ---- */

bool view_page_init(struct view_page *page, unsigned rows, unsigned cols, bool ascii)
{
    *page = (struct view_page){ .ascii = ascii };
    rows = rows < VIEW_MAX_ROWS ? rows : VIEW_MAX_ROWS;
    page->lines = hy_alloc_array(rows, sizeof *page->lines);
    if (page->lines == NULL)
        return false;
    page->rows = rows;
    page->cols = cols < VIEW_MAX_COLS ? cols : VIEW_MAX_COLS;
    return true;
}

void view_page_fini(struct view_page *page)
{
    for (unsigned i = 0; i < page->rows; i++) {
        hy_free(page->lines[i].text);
        hy_free(page->lines[i].attrs);
    }
    hy_free(page->lines);
    *page = (struct view_page){ 0 };
}

/* ---- characters ---- */

struct glyph {
    char bytes[16];
    size_t len;
    unsigned width;
    bool is_mark; /* combines with the one before */
};

static bool is_shown(utf8proc_int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF: /* marks of direction, joiners, tags */
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default: /* utf8proc's enum may grow */
        return true;
    }
}

static void escape(struct glyph *glyph, utf8proc_int32_t code)
{
    int len;

    if (code == '\n' || code == '\t')
        len = snprintf(glyph->bytes, sizeof glyph->bytes, "%s", code == '\n' ? "\\n" : "\\t");
    else if (code < 0x100)
        len = snprintf(glyph->bytes, sizeof glyph->bytes, "\\x%02x", (unsigned)code);
    else if (code < 0x10000)
        len = snprintf(glyph->bytes, sizeof glyph->bytes, "\\u%04x", (unsigned)code);
    else
        len = snprintf(glyph->bytes, sizeof glyph->bytes, "\\U%06x", (unsigned)code);
    glyph->len = (size_t)len;
    glyph->width = (unsigned)len;
}

/* The character at the front, as it is shown; returns the bytes it takes. */
static size_t next_glyph(const char *text, size_t len, bool ascii, struct glyph *glyph)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t step;

    *glyph = (struct glyph){ 0 };
    if ((unsigned char)text[0] >= 0x20 && (unsigned char)text[0] < 0x7f) {
        glyph->bytes[0] = text[0];
        glyph->len = glyph->width = 1;
        return 1;
    }
    step = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &code);
    if (step <= 0) {
        escape(glyph, (unsigned char)text[0]);
        return 1;
    }
    if (ascii || !is_shown(code)) {
        escape(glyph, code);
        return (size_t)step;
    }
    memcpy(glyph->bytes, text, (size_t)step);
    glyph->len = (size_t)step;
    glyph->width = (unsigned)utf8proc_charwidth(code);
    glyph->is_mark = glyph->width == 0;
    return (size_t)step;
}

/* ---- lines ---- */

static bool grow(struct view_line *line, size_t more)
{
    if (line->len + more <= line->cap)
        return true;
    size_t cap = (line->len + more) * 2 + 64;
    char *text = hy_realloc(line->text, cap);
    if (text == NULL)
        return false;
    line->text = text;
    uint8_t *attrs = hy_realloc(line->attrs, cap);
    if (attrs == NULL)
        return false;
    line->attrs = attrs;
    line->cap = cap;
    return true;
}

static bool append(
    struct view_line *line, enum view_attr attr, const char *bytes, size_t len, unsigned width)
{
    if (!grow(line, len))
        return false;
    memcpy(line->text + line->len, bytes, len);
    memset(line->attrs + line->len, (int)attr, len);
    line->len += len;
    line->width += width;
    return true;
}

/* As much of the text as fits before column `edge`; false: not all did. */
static bool put_until(struct view_page *page, unsigned row, enum view_attr attr, unsigned edge,
    const char *text, size_t len)
{
    struct view_line *line = &page->lines[row];
    unsigned marks = MAX_MARKS; /* there is nothing before to combine with */

    while (len > 0) {
        struct glyph glyph;
        size_t step = next_glyph(text, len, page->ascii, &glyph);

        marks = glyph.is_mark ? marks + 1 : 0;
        if (line->width + glyph.width > edge)
            return false;
        if (marks <= MAX_MARKS && !append(line, attr, glyph.bytes, glyph.len, glyph.width))
            return false;
        text += step;
        len -= step;
    }
    return true;
}

void view_put(struct view_page *page, unsigned row, enum view_attr attr, const char *text)
{
    if (row < page->rows)
        (void)put_until(page, row, attr, page->cols, text, strlen(text));
}

void view_putf(struct view_page *page, unsigned row, enum view_attr attr, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    view_put(page, row, attr, text);
}

void view_pad(struct view_page *page, unsigned row, enum view_attr attr, unsigned col)
{
    if (row >= page->rows)
        return;
    struct view_line *line = &page->lines[row];
    unsigned edge = col < page->cols ? col : page->cols;
    while (line->width < edge && append(line, attr, " ", 1, 1))
        continue;
}

unsigned view_width(const struct view_page *page, const char *text)
{
    size_t len = strlen(text);
    unsigned width = 0;

    while (len > 0) {
        struct glyph glyph;
        size_t step = next_glyph(text, len, page->ascii, &glyph);

        width += glyph.width;
        text += step;
        len -= step;
    }
    return width;
}

void view_put_left(
    struct view_page *page, unsigned row, enum view_attr attr, unsigned width, const char *text)
{
    if (row >= page->rows || width == 0)
        return;
    struct view_line *line = &page->lines[row];
    unsigned edge = line->width + width < page->cols ? line->width + width : page->cols;
    bool fits = view_width(page, text) <= edge - line->width;

    (void)put_until(page, row, attr, fits ? edge : edge - (edge > line->width), text, strlen(text));
    if (!fits && line->width < edge)
        (void)append(line, attr, "~", 1, 1);
    view_pad(page, row, attr, edge);
}

void view_put_right(
    struct view_page *page, unsigned row, enum view_attr attr, unsigned width, const char *text)
{
    unsigned needed = view_width(page, text);

    if (row < page->rows && needed < width)
        view_pad(page, row, attr, page->lines[row].width + width - needed);
    view_put_left(page, row, attr, needed < width ? needed : width, text);
}

void view_mark(struct view_page *page, unsigned row, enum view_attr attr)
{
    if (row >= page->rows)
        return;
    if (page->lines[row].len > 0)
        memset(page->lines[row].attrs, (int)attr, page->lines[row].len);
    view_pad(page, row, attr, page->cols);
}

char *view_line_text(const struct view_page *page, unsigned row)
{
    size_t len = row < page->rows ? page->lines[row].len : 0;

    while (len > 0 && page->lines[row].text[len - 1] == ' ')
        len--;
    return hy_strndup(len > 0 ? page->lines[row].text : "", len);
}

/* ---- numbers ---- */

const char *view_age_text(uint64_t ns, char *into)
{
    uint64_t s = ns / 1000000000U;
    static const struct {
        uint64_t big, small;
        char big_letter, small_letter;
    } units[] = { { 86400, 3600, 'd', 'h' }, { 3600, 60, 'h', 'm' }, { 60, 1, 'm', 's' } };

    if (s >= 100 * units[0].big) {
        (void)snprintf(into, VIEW_NUMBER_BYTES, "%llud", (unsigned long long)(s / units[0].big));
        return into;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (s >= units[i].big) {
            (void)snprintf(into, VIEW_NUMBER_BYTES, "%llu%c%02llu%c",
                (unsigned long long)(s / units[i].big), units[i].big_letter,
                (unsigned long long)(s % units[i].big / units[i].small), units[i].small_letter);
            return into;
        }
    }
    (void)snprintf(into, VIEW_NUMBER_BYTES, "%llus", (unsigned long long)s);
    return into;
}

const char *view_round_trip_text(uint64_t us, char *into)
{
    if (us == 0)
        into[0] = '\0';
    else if (us < 10000)
        (void)snprintf(into, VIEW_NUMBER_BYTES, "%.1fms", (double)us / 1000);
    else if (us < 1000000)
        (void)snprintf(into, VIEW_NUMBER_BYTES, "%.0fms", (double)us / 1000);
    else
        (void)snprintf(into, VIEW_NUMBER_BYTES, "%.1fs", (double)us / 1000000);
    return into;
}

const char *view_bytes_text(uint64_t bytes, char *into)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    double value = (double)bytes / 1000;
    size_t unit = 0;

    if (bytes < 1000) {
        (void)snprintf(into, VIEW_NUMBER_BYTES, "%llu B", (unsigned long long)bytes);
        return into;
    }
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(
        into, VIEW_NUMBER_BYTES, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return into;
}

const char *view_rate_text(double per_s, char *into)
{
    if (per_s <= 0)
        (void)snprintf(into, VIEW_NUMBER_BYTES, "0");
    else
        (void)snprintf(into, VIEW_NUMBER_BYTES, per_s < 99.95 ? "%.1f" : "%.0f", per_s);
    return into;
}
