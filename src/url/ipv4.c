/* url/ipv4.c - IPv4 addresses as people used to write them.
 * WHATWG URL standard, "ends-in-a-number checker" and "IPv4 parser". */
#include "base/span.h"
#include "url/encode.h"
#include "url/host.h"

/* One part: decimal, 0x hexadecimal or 0 octal; "0x" alone is 0. Values above 32 bits stay
 * above: they saturate, and are judged by the caller. */
static bool parse_number(struct hypha_span part, uint64_t *ret_value)
{
    unsigned base = 10;
    uint64_t value = 0;
    size_t i = 0;

    if (part.len == 0)
        return false;
    if (part.len > 1 && part.at[0] == '0') {
        bool hex = (part.at[1] | 0x20) == 'x';

        base = hex ? 16 : 8;
        i = hex ? 2 : 1;
    }
    for (; i < part.len; i++) {
        int digit = hy_url_hex(part.at[i]);

        if (digit < 0 || (unsigned)digit >= base)
            return false;
        if (value <= UINT32_MAX)
            value = value * base + (unsigned)digit;
    }
    *ret_value = value;
    return true;
}

/* What follows the last dot; all if there is none. */
static struct hypha_span last_part(struct hypha_span domain)
{
    const uint8_t *dot = domain.len > 0 ? memrchr(domain.at, '.', domain.len) : NULL;

    if (dot == NULL)
        return domain;
    return hy_span(dot + 1, (size_t)(domain.at + domain.len - dot - 1));
}

bool hy_url_ends_in_number(struct hypha_span domain)
{
    uint64_t ignored;
    struct hypha_span last;

    if (domain.len > 1 && domain.at[domain.len - 1] == '.')
        domain.len--;
    last = last_part(domain);
    if (last.len == 0 || !hy_url_is_digit(last.at[0]))
        return false;
    for (size_t i = 0; i < last.len; i++)
        if (!hy_url_is_digit(last.at[i]))
            return parse_number(last, &ignored);
    return true;
}

bool hy_url_parse_ipv4(struct hypha_span domain, struct hy_ip *ret_ip)
{
    uint64_t parts[4], address;
    size_t count = 0;

    if (domain.len > 1 && domain.at[domain.len - 1] == '.')
        domain.len--;
    for (bool more = true; more;) {
        const uint8_t *dot = domain.len > 0 ? memchr(domain.at, '.', domain.len) : NULL;
        size_t len = dot == NULL ? domain.len : (size_t)(dot - domain.at);

        if (count == 4 || !parse_number(hy_span(domain.at, len), &parts[count]))
            return false;
        count++;
        more = dot != NULL;
        if (more)
            domain = hy_span(dot + 1, domain.len - len - 1);
    }
    /* The last part fills all bytes that the others leave. */
    address = parts[count - 1];
    if (address >= (uint64_t)1 << (8 * (5 - count)))
        return false;
    for (size_t i = 0; i + 1 < count; i++) {
        if (parts[i] > 255)
            return false;
        address |= parts[i] << (8 * (3 - i));
    }
    *ret_ip = (struct hy_ip){ .len = 4 };
    for (size_t i = 0; i < 4; i++)
        ret_ip->bytes[i] = (uint8_t)(address >> (8 * (3 - i)));
    return true;
}
