/* tests/conformance/world.h - one loop, one transport, and streams that watch their contract.
 *
 * An `end` is a stream with its owner: it counts what happens, checks that no callback comes from
 * inside a call or after close, and can be told to close itself inside one. Every callback ends
 * the loop's turn, so that world_until() can look at its condition. */
#ifndef TESTS_CONFORMANCE_WORLD_H
#define TESTS_CONFORMANCE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/transport.h"
#include <stdbool.h>

struct world;

struct factory {
    const char *name;
    const char *listen_url;             /* port 0: the system chooses */
    const char *name_url;               /* the same by name; NULL: no names */
    void (*open)(struct world *world);  /* makes loop and transport */
    void (*close)(struct world *world); /* frees what open made */
    bool kernel;                        /* real sockets: raw peers, descriptors to count */
    bool tls;                           /* streams are not ready before the peer has spoken */
};

struct world {
    const struct factory *factory;
    struct hypha_loop *loop;
    struct hy_transport *transport;
    void *extra; /* the factory's */
    bool in_call;
    bool out_of_time;
};

/* Where an end closes its stream. */
enum close_in { CLOSE_NOWHERE, CLOSE_IN_READY, CLOSE_IN_READ, CLOSE_IN_WRITABLE, CLOSE_IN_END };

struct end {
    struct world *world;
    struct hy_stream *stream; /* NULL once closed */
    enum close_in close_in;
    bool echo;
    bool auto_read;     /* read from on_ready on */
    size_t close_after; /* bytes read; 0: never */
    bool closed, ready, ended;
    enum hypha_err why;
    unsigned writables;
    /* Both ways carry one pseudo-random sequence, checked byte for byte. */
    uint64_t read_bytes, read_seed;
    uint64_t to_write, written, write_seed;
    bool wrong_bytes;
};

#define MAX_ACCEPTED 2048

struct door {
    struct world *world;
    struct hy_listener *listener;
    void *request;
    bool answered, ended;
    enum hypha_err err;
    struct end *accepted[MAX_ACCEPTED];
    size_t count;
    bool close_in_accept; /* the listener and the stream */
    struct end model;     /* what accepted ends begin as */
    char peer[128];       /* the last one's URL */
};

int world_setup(void **state, const struct factory *factory);
int world_teardown(void **state);

typedef bool (*condition)(void *user);
/* Turn the loop until it holds; fails the test after 20 s of the loop's time. */
void world_until(struct world *world, condition is_met, void *user);
/* Turn the loop until it holds, at most for so long; does it hold? */
bool world_within(struct world *world, condition is_met, void *user, uint64_t ms);
/* Turn the loop for so long. */
void world_for(struct world *world, uint64_t ms);

void door_open(struct door *door, struct world *world, const char *text);
void door_open_url(struct door *door, struct world *world, const struct hypha_url *url);
/* The same, and wait until it listens. */
void door_listen(struct door *door, struct world *world);
void door_close(struct door *door); /* with all that came in */

struct end *end_dial(struct world *world, const struct hypha_url *url);
enum hypha_err end_try_dial(struct world *world, const struct hypha_url *url, struct end *ret_end);
void end_adopt(struct end *end, struct world *world, struct hy_stream *stream);
void end_read(struct end *end, bool on);
/* Write what is left of to_write while the stream takes it. */
void end_pump(struct end *end);
void end_close(struct end *end);
void end_free(struct end *end);

/* Conditions. */
bool end_is_ready(void *end);
bool end_is_ended(void *end);
bool end_is_done(void *end); /* ready or ended */
bool door_is_answered(void *door);

/* Under valgrind: twenty times slower, and descriptor limits are only played. */
bool is_under_valgrind(void);
/* Open descriptors of this process. */
size_t count_descriptors(void);
uint8_t byte_at(uint64_t seed, uint64_t offset);

#endif
