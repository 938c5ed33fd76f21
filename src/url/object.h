/* url/object.h - the struct behind the public name; for this room only. */
#ifndef HY_URL_OBJECT_H
#define HY_URL_OBJECT_H

#include "url/parse.h"
#include "url/url.h"

struct hypha_url {
    uint32_t refs;
    uint32_t len; /* of text */
    const char *text;
    const char *scheme, *user, *password, *host, *path;
    const char *query; /* NULL: none */
    /* Positions in text, for making others from it. */
    uint32_t host_at, host_end;
    uint32_t authority_end; /* where the path's text begins, "/." included */
    uint32_t path_end;
    enum hypha_host_kind host_kind;
    struct hy_ip ip;
    uint16_t port;
    bool has_port, has_authority, is_special;
    char bytes[];
};

#endif
