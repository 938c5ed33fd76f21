/* url/parse.h - a text taken apart, and put together again in normal form. */
#ifndef HY_URL_PARSE_H
#define HY_URL_PARSE_H

#include "url/host.h"

/* A part of the normal form. */
struct hy_url_part {
    uint32_t at;
    uint32_t len;
};

struct hy_url_parser {
    struct hypha_span rest;   /* of the input */
    struct hy_url_buffer out; /* the normal form */
    struct hy_url_part scheme, user, password, host, path, query;
    uint32_t authority_end; /* behind host and port; behind "scheme:" without authority */
    struct hy_url_host host_is;
    uint16_t port;
    bool has_port, has_authority, has_query;
    bool is_special, is_file, has_opaque_path;
    uint16_t default_port; /* of the scheme; 0: none */
};

/* WHATWG URL standard, "basic URL parser" without base URL, for the special schemes of
 * wire.md 1. The parser needs no initialisation, and hy_url_parser_fini() in every case.
 * Errors: URL, UTF8, NOMEM. */
enum hypha_err hy_url_parser_run(struct hy_url_parser *p, struct hypha_span text);
void hy_url_parser_fini(struct hy_url_parser *p);

#endif
