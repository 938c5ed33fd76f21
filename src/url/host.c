/* url/host.c - judge a host and write its normal form.
 *
 * Names are made ASCII by libidn2 with the non-transitional rules of UTS 46; names that are
 * ASCII without an "xn--" label are only made lower case, as the standard has it: empty and
 * overlong labels and underscores pass. */
#include "url/host.h"

#include "base/span.h"
#include "url/encode.h"

#include <idn2.h>

/* More than a name can need, and little enough for punycode's slow ways. */
#define MAX_IDNA_BYTES 4096U

static enum hypha_err put_ipv6(
    struct hy_url_buffer *out, struct hypha_span text, struct hy_url_host *ret_host)
{
    char shown[HY_IP_TEXT_BYTES];

    if (text.len < 2 || text.at[text.len - 1] != ']')
        return HYPHA_ERR_URL;
    if (!hy_ip_parse_v6(hy_span(text.at + 1, text.len - 2), &ret_host->ip))
        return HYPHA_ERR_URL;
    ret_host->kind = HYPHA_HOST_IPV6;
    (void)hy_ip_format(&ret_host->ip, shown);
    hy_url_buffer_put_byte(out, '[');
    hy_url_buffer_put(out, shown, strlen(shown));
    hy_url_buffer_put_byte(out, ']');
    return out->err;
}

static enum hypha_err put_opaque(
    struct hy_url_buffer *out, struct hypha_span text, struct hy_url_host *ret_host)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x80 && hy_url_in_set(text.at[i], HY_SET_FORBIDDEN_HOST))
            return HYPHA_ERR_URL;
    hy_url_put_encoded(out, text, HY_SET_C0);
    if (text.len > 0) {
        ret_host->kind = HYPHA_HOST_DOMAIN;
        /* A name on the wire, but not when we dial or filter: transports.md 1.2. */
        if (hy_url_ends_in_number(text))
            (void)hy_url_parse_ipv4(text, &ret_host->ip);
    }
    return out->err;
}

static bool starts_with_xn(struct hypha_span text)
{
    return text.len >= 4 && (text.at[0] | 0x20) == 'x' && (text.at[1] | 0x20) == 'n' &&
        text.at[2] == '-' && text.at[3] == '-';
}

static enum hypha_err put_idna(struct hy_url_buffer *out, struct hypha_span text)
{
    char name[MAX_IDNA_BYTES + 1];
    uint8_t *ascii = NULL;
    int result;

    if (text.len > MAX_IDNA_BYTES || memchr(text.at, 0, text.len) != NULL || !hy_span_is_utf8(text))
        return HYPHA_ERR_URL;
    memcpy(name, text.at, text.len);
    name[text.len] = '\0';
    result = idn2_lookup_u8((const uint8_t *)name, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (result != IDN2_OK)
        return result == IDN2_MALLOC ? HYPHA_ERR_NOMEM : HYPHA_ERR_URL;
    hy_url_buffer_put(out, ascii, strlen((const char *)ascii));
    idn2_free(ascii);
    return out->err;
}

/* Percent-decoded text to ASCII. */
static enum hypha_err put_domain(struct hy_url_buffer *out, struct hypha_span text)
{
    bool idna = false, label_start = true;

    for (size_t i = 0; i < text.len && !idna; i++) {
        idna = text.at[i] >= 0x80 ||
            (label_start && starts_with_xn(hy_span(text.at + i, text.len - i)));
        label_start = text.at[i] == '.';
    }
    if (idna)
        return put_idna(out, text);
    if (!hy_url_buffer_has_room(out, text.len))
        return out->err;
    for (size_t i = 0; i < text.len; i++)
        out->at[out->len++] = hy_url_lower(text.at[i]);
    return HYPHA_OK;
}

/* A name or IPv4 address of a special scheme. */
static enum hypha_err put_name(
    struct hy_url_buffer *out, struct hypha_span text, struct hy_url_host *ret_host)
{
    size_t start = out->len;
    struct hy_url_buffer decoded;
    enum hypha_err err;

    hy_url_buffer_init(&decoded);
    if (text.len > 0 && memchr(text.at, '%', text.len) != NULL) {
        hy_url_put_decoded(&decoded, text);
        err = decoded.err;
        text = hy_url_buffer_from(&decoded, 0);
        if (err == HYPHA_OK)
            err = put_domain(out, text);
    } else {
        err = put_domain(out, text);
    }
    hy_url_buffer_fini(&decoded);
    if (err != HYPHA_OK)
        return err;

    struct hypha_span domain = hy_url_buffer_from(out, start);
    if (domain.len == 0)
        return HYPHA_ERR_URL;
    for (size_t i = 0; i < domain.len; i++)
        if (hy_url_in_set(domain.at[i], HY_SET_FORBIDDEN_DOMAIN))
            return HYPHA_ERR_URL;
    ret_host->kind = HYPHA_HOST_DOMAIN;
    if (!hy_url_ends_in_number(domain))
        return HYPHA_OK;

    if (!hy_url_parse_ipv4(domain, &ret_host->ip))
        return HYPHA_ERR_URL;
    ret_host->kind = HYPHA_HOST_IPV4;
    out->len = start;
    for (size_t i = 0; i < 4; i++) {
        if (i > 0)
            hy_url_buffer_put_byte(out, '.');
        hy_url_buffer_put_decimal(out, ret_host->ip.bytes[i]);
    }
    return out->err;
}

enum hypha_err hy_url_host_put(
    struct hy_url_buffer *out, struct hypha_span text, bool opaque, struct hy_url_host *ret_host)
{
    *ret_host = (struct hy_url_host){ .kind = HYPHA_HOST_NONE };
    if (text.len > 0 && text.at[0] == '[')
        return put_ipv6(out, text, ret_host);
    return opaque ? put_opaque(out, text, ret_host) : put_name(out, text, ret_host);
}
