/* tests/conformance/suite.h - what every transport must pass. spec: transports.md 12 */
#ifndef TESTS_CONFORMANCE_SUITE_H
#define TESTS_CONFORMANCE_SUITE_H

#include "conformance/world.h"

/* Run the whole suite; the result is main()'s. */
int suite_run(const struct factory *factory);

/* suite_close.c */
void test_close_at_once(void **state);
void test_close_while_opening(void **state);
void test_close_in_read(void **state);
void test_close_in_writable(void **state);
void test_close_in_end(void **state);
void test_close_in_ready(void **state);
void test_close_in_accept(void **state);

/* suite_raw.c: peers that are bare sockets, for transports of the kernel. */
void test_silent_client_blocks_no_other(void **state);
void test_silent_server_can_be_closed(void **state);
void test_killed_while_shaking_hands(void **state);
void test_killed_when_ready(void **state);
void test_connect_without_answer_can_be_closed(void **state);
void test_thousand_dials_leak_nothing(void **state);
void test_last_bytes_arrive_against_the_stream(void **state);
void test_out_of_descriptors(void **state);

/* A URL's port with a scheme and a host like those of the factory. */
struct hypha_url *url_of_port(const struct world *world, uint16_t port);

/* Both sides of one connection. */
struct pair {
    struct door door;
    struct end *near; /* dialled */
    struct end *far;  /* accepted */
};
void pair_open(struct pair *pair, struct world *world);
void pair_close(struct pair *pair);

#endif
