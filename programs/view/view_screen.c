/* view_screen.c - ncurses: keys in, lines out, and what has changed saved to a file. */
#include "view/view_screen.h"
#include "base/alloc.h"
#include "view/view_ui.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>

#define DRAW_MS     100U
#define MAX_KEYS    64 /* taken at once: what is pasted must not hold up the nodes */
#define MAX_SILENCE 3U /* times that the terminal is readable and has nothing: it is gone */

struct view_screen {
    struct hypha_loop *loop;
    struct view_ui ui;
    void (*on_quit)(void *user);
    void *user;
    SCREEN *term;
    int fd; /* the terminal, opened anew: the poll makes it non-blocking, not our output */
    struct hy_poll *poll;
    struct hy_signal *resized;
    struct hy_timer timer;
    uint64_t drawn_version, drawn_s;
    bool dirty; /* a key or a resize: draw though the model is the same */
    bool ascii, colour;
    unsigned silence;
};

/* ---- drawing ---- */

static attr_t attr_of(const struct view_screen *screen, enum view_attr attr)
{
    static const struct {
        attr_t plain; /* without colour */
        attr_t with_colour;
        short pair;
    } attrs[VIEW_ATTRS] = {
        [VIEW_PLAIN] = { A_NORMAL, A_NORMAL, 0 },
        [VIEW_STRONG] = { A_BOLD, A_BOLD, 0 },
        [VIEW_FAINT] = { A_NORMAL, A_DIM, 0 },
        [VIEW_GOOD] = { A_NORMAL, A_NORMAL, VIEW_GOOD },
        [VIEW_WAIT] = { A_NORMAL, A_NORMAL, VIEW_WAIT },
        [VIEW_BAD] = { A_BOLD, A_NORMAL, VIEW_BAD },
        [VIEW_NAME] = { A_UNDERLINE, A_NORMAL, VIEW_NAME },
        [VIEW_CHOSEN] = { A_REVERSE, A_REVERSE, 0 },
        [VIEW_BAR] = { A_REVERSE, A_REVERSE, 0 },
    };

    if (!screen->colour)
        return attrs[attr].plain;
    return attrs[attr].with_colour | (attr_t)COLOR_PAIR(attrs[attr].pair);
}

static void draw_line(struct view_screen *screen, unsigned row, const struct view_line *line)
{
    size_t at = 0;

    (void)move((int)row, 0);
    while (at < line->len) {
        size_t run = 1;

        while (at + run < line->len && line->attrs[at + run] == line->attrs[at])
            run++;
        (void)attrset((int)attr_of(screen, (enum view_attr)line->attrs[at]));
        (void)addnstr(line->text + at, (int)run);
        at += run;
    }
    (void)attrset(A_NORMAL);
}

static void draw(struct view_screen *screen)
{
    uint64_t now_ns = hy_wall_ns(screen->loop);
    time_t now_s = (time_t)(now_ns / 1000000000U);
    struct view_page page;
    struct tm local;

    screen->dirty = false;
    screen->drawn_version = screen->ui.model->version;
    screen->drawn_s = now_ns / 1000000000U;
    if (localtime_r(&now_s, &local) != NULL)
        screen->ui.utc_offset_s = local.tm_gmtoff;
    if (!view_page_init(&page, (unsigned)LINES, (unsigned)COLS, screen->ascii))
        return;
    view_layout(&screen->ui, &page, now_ns);
    (void)erase();
    for (unsigned row = 0; row < page.rows; row++)
        draw_line(screen, row, &page.lines[row]);
    (void)curs_set(page.has_cursor ? 1 : 0);
    if (page.has_cursor)
        (void)move((int)page.cursor_row, (int)page.cursor_col);
    (void)refresh();
    view_page_fini(&page);
}

static void on_timer(void *user)
{
    struct view_screen *screen = user;
    bool changed = screen->drawn_version != screen->ui.model->version ||
        screen->drawn_s != hy_wall_s(screen->loop);

    hy_timer_start(&screen->timer, DRAW_MS);
    if (screen->dirty || (changed && !screen->ui.paused))
        draw(screen);
}

/* ---- saving ---- */

static int create_file(char *name, size_t size, uint64_t now_ns)
{
    time_t now_s = (time_t)(now_ns / 1000000000U);
    char stamp[32] = "";
    struct tm local;
    int fd = -1;

    if (localtime_r(&now_s, &local) != NULL)
        (void)strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    for (int n = 1; fd < 0 && n < 10; n++) {
        if (n == 1)
            (void)snprintf(name, size, "hypha-view-%s.jsonl", stamp);
        else
            (void)snprintf(name, size, "hypha-view-%s-%d.jsonl", stamp, n);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, text, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        text += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

static void save(struct view_screen *screen)
{
    uint64_t now_ns = hy_wall_ns(screen->loop);
    char name[64];
    char *text;
    size_t len, lines;

    view_ui_refresh(&screen->ui);
    if (view_save_text(&screen->ui, now_ns, &text, &len, &lines) != HYPHA_OK) {
        view_ui_notice(&screen->ui, now_ns, "not saved: out of memory");
        return;
    }
    int fd = create_file(name, sizeof name, now_ns);
    bool ok = fd >= 0 && write_all(fd, text, len);
    int number = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        number = errno;
    }
    if (ok)
        view_ui_notice(
            &screen->ui, now_ns, "saved %zu %s to %s", lines, lines == 1 ? "row" : "rows", name);
    else
        view_ui_notice(&screen->ui, now_ns, "%s was not saved: %s", name, strerror(number));
    if (!ok && fd >= 0)
        (void)unlink(name); /* half of it is worse than none */
    hy_free(text);
}

/* ---- keys ---- */

static uint32_t key_of_code(wint_t code)
{
    static const struct {
        wint_t code;
        uint32_t key;
    } keys[] = {
        { KEY_UP, VIEW_KEY_UP },
        { KEY_DOWN, VIEW_KEY_DOWN },
        { KEY_LEFT, VIEW_KEY_LEFT },
        { KEY_RIGHT, VIEW_KEY_RIGHT },
        { KEY_PPAGE, VIEW_KEY_PAGE_UP },
        { KEY_NPAGE, VIEW_KEY_PAGE_DOWN },
        { KEY_HOME, VIEW_KEY_HOME },
        { KEY_END, VIEW_KEY_END },
        { KEY_BTAB, VIEW_KEY_BACK_TAB },
        { KEY_ENTER, VIEW_KEY_ENTER },
        { KEY_BACKSPACE, VIEW_KEY_BACKSPACE },
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].code == code)
            return keys[i].key;
    return 0;
}

static void take_size(struct view_screen *screen)
{
    struct winsize size;

    /* Not resizeterm(): that puts KEY_RESIZE before each key, for ever. */
    if (ioctl(screen->fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        (void)resize_term(size.ws_row, size.ws_col);
    (void)clearok(curscr, TRUE);
    screen->dirty = true;
}

static void take_key(struct view_screen *screen, uint32_t key)
{
    view_ui_refresh(&screen->ui); /* its rows are of the model as it is now */
    view_ui_key(&screen->ui, key);
    screen->dirty = true;
    if (screen->ui.save)
        save(screen);
    screen->ui.save = false;
}

static void on_input(void *user, unsigned events)
{
    struct view_screen *screen = user;
    int taken = 0;
    wint_t code;
    int got = ERR;

    while (taken < MAX_KEYS && !screen->ui.quit && (got = get_wch(&code)) != ERR) {
        uint32_t key = got == KEY_CODE_YES ? key_of_code(code) : (uint32_t)code;

        taken++;
        if (key == 0x0c) /* ^L: whatever has spoilt the screen */
            (void)clearok(curscr, TRUE);
        else if (key != 0)
            take_key(screen, key);
        screen->dirty = true;
    }
    screen->silence = taken > 0 ? 0 : screen->silence + 1;
    if (screen->ui.quit || (events & HY_POLL_OUT) != 0 || screen->silence >= MAX_SILENCE) {
        (void)hy_poll_update(screen->poll, 0);
        screen->on_quit(screen->user);
    }
}

static void on_resized(void *user, int signum)
{
    (void)signum;
    take_size(user);
}

/* ---- the terminal ---- */

static enum hypha_err refuse(char why[256], const char *text)
{
    const char *term = getenv("TERM");

    (void)snprintf(why, 256, "%s (TERM is \"%.60s\"); --once shows all as text", text,
        term != NULL ? term : "");
    return HYPHA_ERR_SYSTEM;
}

static void choose_colours(struct view_screen *screen)
{
    const char *no_colour = getenv("NO_COLOR");

    if ((no_colour != NULL && no_colour[0] != '\0') || !has_colors() || start_color() == ERR)
        return;
    short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;
    screen->colour = init_pair(VIEW_GOOD, COLOR_GREEN, ground) == OK &&
        init_pair(VIEW_WAIT, COLOR_YELLOW, ground) == OK &&
        init_pair(VIEW_BAD, COLOR_RED, ground) == OK &&
        init_pair(VIEW_NAME, COLOR_CYAN, ground) == OK;
}

static enum hypha_err open_terminal(struct view_screen *screen, char why[256])
{
    char name[256] = "";

    if (!isatty(STDOUT_FILENO) || ttyname_r(STDIN_FILENO, name, sizeof name) != 0)
        return refuse(why, "standard input and output are no terminal");
    screen->fd = open(name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (screen->fd < 0)
        return refuse(why, "the terminal cannot be opened");
    (void)setlocale(LC_CTYPE, "");
    screen->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    screen->term = newterm(NULL, stdout, stdin);
    if (screen->term == NULL)
        return refuse(why, "the terminal's kind is not known");
    const char *move_to = tigetstr("cup");
    if (move_to == NULL || move_to == (const char *)-1)
        return refuse(why, "this terminal cannot place the cursor");
    choose_colours(screen);
    (void)set_escdelay(25);
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)curs_set(0);
    return HYPHA_OK;
}

void view_screen_destroy(struct view_screen *screen)
{
    if (screen == NULL)
        return;
    hy_timer_stop(&screen->timer);
    hy_poll_destroy(screen->poll);
    hy_signal_stop(screen->resized);
    if (screen->term != NULL) {
        (void)endwin();
        delscreen(screen->term);
    }
    if (screen->fd >= 0)
        (void)close(screen->fd);
    view_ui_fini(&screen->ui);
    hy_free(screen);
}

enum hypha_err view_screen_create(struct hypha_loop *loop, const struct view_model *model,
    void (*on_quit)(void *user), void *user, struct view_screen **ret_screen, char why[256])
{
    struct view_screen *screen = hy_alloc(sizeof *screen);
    enum hypha_err err = HYPHA_ERR_NOMEM;

    (void)snprintf(why, 256, "%s", hypha_err_text(err));
    if (screen == NULL)
        return err;
    screen->loop = loop;
    screen->on_quit = on_quit;
    screen->user = user;
    screen->fd = -1;
    screen->dirty = true;
    view_ui_init(&screen->ui, model);
    hy_timer_init(&screen->timer, loop, on_timer, screen);
    err = open_terminal(screen, why);
    if (err != HYPHA_OK)
        goto fail;
    err = hy_poll_create(loop, screen->fd, HY_POLL_IN, on_input, screen, &screen->poll);
    if (err == HYPHA_OK)
        err = hy_signal_start(loop, SIGWINCH, on_resized, screen, &screen->resized);
    if (err != HYPHA_OK) {
        (void)snprintf(why, 256, "the terminal: %s", hypha_err_text(err));
        goto fail;
    }
    hy_timer_start(&screen->timer, 0);
    *ret_screen = screen;
    return HYPHA_OK;
fail:
    view_screen_destroy(screen);
    return err;
}
