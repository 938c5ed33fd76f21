/* dchat.c - talk through a chat daemon from the command line.
 *
 * Works with hypha's dchatd and with the reference's, which knows only send, recv, ping and
 * p2p.get_info and loses a call with any other parameters: what is ours is asked for only after
 * `dchat.info` was answered. spec: apps.md 5 */
#include "dchat.h"
#include "daemon/secret.h"
#include "dchat_show.h"

#include <hypha/hypha.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_ENDPOINT "localhost:51054"

static const char usage[] =
    "Usage: dchat [-e ENDPOINT] [--json] COMMAND\n"
    "\n"
    "Commands:\n"
    "  send TEXT...   say it to all peers; \"-\" reads lines from standard input\n"
    "  recv [-f]      show what was received; -f: and what comes from now on\n"
    "  tail           show the last ten messages and what comes, with time and sender\n"
    "  info           show channels and slots of the daemon\n"
    "  ping           ask whether the daemon is there\n"
    "  dnet           show what the daemon's node does, as it happens\n"
    "  help           show this\n"
    "\n"
    "Options:\n"
    "  -e, --endpoint HOST:PORT, [IPV6]:PORT, unix:PATH or a URL; else $DCHAT_ENDPOINT,\n"
    "                 else " DEFAULT_ENDPOINT "\n"
    "      --json     print replies as they come\n"
    "      --token-file PATH\n"
    "                 the daemon's access token is there; else in $DCHAT_TOKEN\n"
    "  -V, --version  show the version\n"
    "\n"
    "Exit status: 0 done, 1 the daemon refused, 2 wrong usage, 3 the daemon is not reachable.\n";

int complain(enum exit_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("dchat: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return (int)status;
}

/* ---- one call at a time ---- */

static void reply_clear(struct dchat_client *client)
{
    json_decref(client->result);
    free(client->message);
    free(client->line);
    client->result = NULL;
    client->message = client->line = NULL;
}

void note_error(struct dchat_client *client, int code, const char *message)
{
    char *copy = message != NULL ? strdup(message) : NULL;

    free(client->message);
    client->code = code;
    client->message = copy;
}

static void on_reply(void *user, const struct hy_rpc_reply *reply)
{
    struct dchat_client *client = user;

    client->err = reply->err;
    if (reply->err == HYPHA_OK) {
        client->result = json_incref(reply->result);
        note_error(client, reply->code, reply->message);
        client->line = strndup((const char *)reply->line.at, reply->line.len);
    }
    hypha_loop_stop(client->loop);
}

/* Ask and wait. params: taken over. EXIT_OK: client->result is there. */
int ask(struct dchat_client *client, const char *method, json_t *params, uint32_t timeout_ms)
{
    reply_clear(client);
    enum hypha_err err = hy_rpc_client_call(
        client->rpc, method, params, timeout_ms, on_reply, client);
    if (err == HYPHA_OK)
        err = hypha_loop_run(client->loop);
    if (err == HYPHA_OK)
        err = client->err;
    if (err != HYPHA_OK)
        return EXIT_UNREACHABLE;
    return client->result != NULL ? EXIT_OK : EXIT_REFUSED;
}

/* Say on stderr what ask() came to; returns its status. */
int judge(const struct dchat_client *client, int status)
{
    if (status == EXIT_UNREACHABLE)
        return complain(EXIT_UNREACHABLE, "%s: %s", client->endpoint, hypha_err_text(client->err));
    if (status == EXIT_REFUSED && client->json && client->line != NULL)
        puts(client->line);
    if (status == EXIT_REFUSED)
        return complain(EXIT_REFUSED, "the daemon refused: %s (%d)",
            client->message != NULL ? client->message : "", client->code);
    return status;
}

int odd_reply(const struct dchat_client *client)
{
    return complain(EXIT_REFUSED, "%s: an answer that makes no sense", client->endpoint);
}

/* Ask, and print the line as it came if --json was given. ret_done: nothing is left to show. */
static int ask_and_show(
    struct dchat_client *client, const char *method, json_t *params, bool *ret_done)
{
    int status = judge(client, ask(client, method, params, 0));

    *ret_done = status != EXIT_OK || client->json;
    if (status == EXIT_OK && client->json)
        puts(client->line);
    return status;
}

/* Does the daemon know more than the reference's? */
int find_out(struct dchat_client *client, bool *ret_ours)
{
    int status = ask(client, "dchat.info", NULL, 0);

    *ret_ours = status == EXIT_OK;
    if (status == EXIT_REFUSED && client->code == HY_RPC_METHOD_NOT_FOUND)
        return EXIT_OK;
    return judge(client, status);
}

/* ---- send ---- */

static int send_text(struct dchat_client *client, const char *text, size_t len)
{
    json_t *string = json_stringn(text, len);
    bool done;

    if (string == NULL)
        return complain(EXIT_USAGE, "the text is not valid UTF-8");
    return ask_and_show(client, "send", json_pack("[o]", string), &done);
}

static int send_lines(struct dchat_client *client)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int status = EXIT_OK;

    while (status == EXIT_OK && (len = getline(&line, &size, stdin)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            len--;
        if (len > 0)
            status = send_text(client, line, (size_t)len);
    }
    free(line);
    return status;
}

static int command_send(struct dchat_client *client, int argc, char **argv)
{
    size_t len = 0;

    if (argc <= 0)
        return complain(EXIT_USAGE, "send: what? See dchat help");
    if (argc == 1 && strcmp(argv[0], "-") == 0)
        return send_lines(client);
    for (int i = 0; i < argc; i++)
        len += strlen(argv[i]) + 1;
    char *text = calloc(1, len + 1);
    if (text == NULL)
        return complain(EXIT_UNREACHABLE, "out of memory");
    len = 0;
    for (int i = 0; i < argc; i++) {
        size_t word = strlen(argv[i]);

        if (i > 0)
            text[len++] = ' ';
        memcpy(text + len, argv[i], word);
        len += word;
    }
    int status = len > 0 ? send_text(client, text, len)
                         : complain(EXIT_USAGE, "send: an empty text cannot be sent");
    free(text);
    return status;
}

/* ---- recv and tail ---- */

bool show_text(const json_t *text)
{
    if (!json_is_string(text))
        return false;
    dchat_show(stdout, json_string_value(text), json_string_length(text));
    putchar('\n');
    return true;
}

/* Texts of recv [] from number `from` on; ret_count: how many there are. */
bool show_texts(
    const struct dchat_client *client, const json_t *texts, size_t from, size_t *ret_count)
{
    if (!json_is_array(texts))
        return false;
    for (size_t i = from; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);

        /* The reference's buffer begins with an empty text that nobody sent. */
        if (i == 0 && json_is_string(text) && json_string_length(text) == 0)
            continue;
        if (client->json)
            json_dumpf(text, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        if (client->json ? putchar('\n') == EOF : !show_text(text))
            return false;
    }
    *ret_count = json_array_size(texts);
    fflush(stdout);
    return true;
}

static int command_recv(struct dchat_client *client, int argc, char **argv)
{
    bool done;
    size_t count;

    if (argc == 1 && (strcmp(argv[0], "-f") == 0 || strcmp(argv[0], "--follow") == 0))
        return follow(client, false);
    if (argc > 0)
        return complain(EXIT_USAGE, "recv: unknown argument \"%s\"", argv[0]);
    int status = ask_and_show(client, "recv", NULL, &done);
    if (done)
        return status;
    return show_texts(client, client->result, 0, &count) ? EXIT_OK : odd_reply(client);
}

static int command_tail(struct dchat_client *client, int argc, char **argv)
{
    if (argc > 0)
        return complain(EXIT_USAGE, "tail: unknown argument \"%s\"", argv[0]);
    return follow(client, true);
}

/* ---- info and ping ---- */

static const char *url_of_channel(const json_t *channels, json_int_t id)
{
    for (size_t i = 0; i < json_array_size(channels); i++) {
        const json_t *channel = json_array_get(channels, i);

        if (json_integer_value(json_object_get(channel, "id")) == id)
            return json_string_value(json_object_get(channel, "url"));
    }
    return NULL;
}

static void show_info(const json_t *channels, const json_t *slots)
{
    printf("%zu %s\n", json_array_size(channels),
        json_array_size(channels) == 1 ? "channel" : "channels");
    for (size_t i = 0; i < json_array_size(channels); i++) {
        const json_t *channel = json_array_get(channels, i);
        const char *session = json_string_value(json_object_get(channel, "session"));
        const char *url = json_string_value(json_object_get(channel, "url"));

        printf("  %-8s ", session != NULL ? session : "?");
        if (url != NULL)
            dchat_show(stdout, url, strlen(url));
        printf(
            "  (%" JSON_INTEGER_FORMAT ")\n", json_integer_value(json_object_get(channel, "id")));
    }
    printf("%zu outbound %s\n", json_array_size(slots),
        json_array_size(slots) == 1 ? "slot" : "slots");
    for (size_t i = 0; i < json_array_size(slots); i++) {
        json_int_t id = json_integer_value(json_array_get(slots, i));
        const char *url = id != 0 ? url_of_channel(channels, id) : NULL;

        printf("  %zu: ", i);
        if (url != NULL)
            dchat_show(stdout, url, strlen(url));
        puts(url != NULL ? "" : id != 0 ? "connected" : "none");
    }
}

static int command_info(struct dchat_client *client, int argc, char **argv)
{
    bool done;

    (void)argv;
    if (argc > 0)
        return complain(EXIT_USAGE, "info takes no argument");
    int status = ask_and_show(client, "p2p.get_info", NULL, &done);
    if (done)
        return status;
    const json_t *channels = json_object_get(client->result, "channels");
    const json_t *slots = json_object_get(client->result, "outbound_slots");
    if (!json_is_array(channels) || !json_is_array(slots))
        return odd_reply(client);
    show_info(channels, slots);
    return EXIT_OK;
}

static int command_dnet(struct dchat_client *client, int argc, char **argv)
{
    if (argc > 0)
        return complain(EXIT_USAGE, "dnet: unknown argument \"%s\"", argv[0]);
    return watch_events(client);
}

static int command_ping(struct dchat_client *client, int argc, char **argv)
{
    bool done;

    (void)argv;
    if (argc > 0)
        return complain(EXIT_USAGE, "ping takes no argument");
    int status = ask_and_show(client, "ping", NULL, &done);
    if (!done && !show_text(client->result))
        return odd_reply(client);
    return status;
}

/* ---- the command line ---- */

static const struct command {
    const char *name;
    int (*run)(struct dchat_client *client, int argc, char **argv);
} commands[] = {
    { "send", command_send },
    { "recv", command_recv },
    { "tail", command_tail },
    { "info", command_info },
    { "ping", command_ping },
    { "dnet", command_dnet },
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int run(struct dchat_client *client, const struct command *command, int argc, char **argv)
{
    char why[256];

    if (hypha_loop_create(&client->loop) != HYPHA_OK)
        return complain(EXIT_UNREACHABLE, "no event loop can be made");
    int status = EXIT_OK;
    if (hy_rpc_client_create(client->loop, client->endpoint, &client->rpc, why) != HYPHA_OK)
        status = complain(EXIT_USAGE, "%s", why);
    else if (client->token != NULL &&
        hy_rpc_client_set_token(client->rpc, client->token) != HYPHA_OK)
        status = complain(EXIT_UNREACHABLE, "out of memory");
    else
        status = command->run(client, argc, argv);
    reply_clear(client);
    hy_rpc_client_destroy(client->rpc);
    if (hypha_loop_run(client->loop) != HYPHA_OK) /* the connection ends properly in here */
        status = complain(EXIT_UNREACHABLE, "the event loop failed");
    hypha_loop_destroy(client->loop);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = complain(EXIT_REFUSED, "the output could not be written");
    return status;
}

/* From the file that was named, else from the environment. ret_secret: hy_secret_free() it. */
static int find_token(struct dchat_client *client, const char *path, char **ret_secret)
{
    const char *token = getenv("DCHAT_TOKEN");
    bool others;

    client->token = token != NULL && token[0] != '\0' ? token : NULL;
    if (path == NULL)
        return EXIT_OK;
    enum hypha_err err = hy_secret_read(path, ret_secret, &others);
    if (err != HYPHA_OK)
        return complain(EXIT_USAGE, "%s: %s", path,
            err == HYPHA_ERR_INVALID ? "no token is in it" : hypha_err_text(err));
    client->token = *ret_secret;
    return EXIT_OK;
}

/* Options before the command. ret_at: the command's place. -1: go on; else the exit status. */
static int read_options(
    struct dchat_client *client, int argc, char **argv, int *ret_at, const char **ret_token_file)
{
    int at = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--json") == 0) {
            client->json = true;
        } else if ((strcmp(argv[at], "-e") == 0 || strcmp(argv[at], "--endpoint") == 0) &&
            at + 1 < argc) {
            client->endpoint = argv[++at];
        } else if (strcmp(argv[at], "--token-file") == 0 && at + 1 < argc) {
            *ret_token_file = argv[++at];
        } else if (strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "--help") == 0) {
            fputs(usage, stdout);
            return EXIT_OK;
        } else if (strcmp(argv[at], "-V") == 0 || strcmp(argv[at], "--version") == 0) {
            puts("dchat 0.4.1");
            return EXIT_OK;
        } else {
            fputs(usage, stderr);
            return complain(EXIT_USAGE, "unknown or incomplete option %s", argv[at]);
        }
    }
    *ret_at = at;
    return -1;
}

int main(int argc, char **argv)
{
    const char *endpoint = getenv("DCHAT_ENDPOINT"), *token_file = NULL;
    struct dchat_client client = { .endpoint = DEFAULT_ENDPOINT };
    char *secret = NULL;
    int at = 1;

    (void)signal(SIGPIPE, SIG_IGN);
    if (endpoint != NULL && endpoint[0] != '\0')
        client.endpoint = endpoint;
    int status = read_options(&client, argc, argv, &at, &token_file);
    if (status >= 0)
        return status;
    if (at == argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[at], "help") == 0) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    const struct command *command = find_command(argv[at]);
    if (command == NULL) {
        fputs(usage, stderr);
        return complain(EXIT_USAGE, "unknown command \"%s\"", argv[at]);
    }
    /* Behind any command but send, where all is text, --json may come last too. */
    if (command->run != command_send && argc > at + 1 && strcmp(argv[argc - 1], "--json") == 0) {
        client.json = true;
        argc--;
    }
    status = find_token(&client, token_file, &secret);
    if (status == EXIT_OK)
        status = run(&client, command, argc - at - 1, argv + at + 1);
    hy_secret_free(secret);
    return status;
}
