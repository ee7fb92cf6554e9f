/*
 * Debian's libpurple and pidgin-sipe without a screen: signs one account in and tells how it went.
 *
 * headless ACCOUNT SERVER AUTHENTICATION CA_FILE
 *
 * Standard input has the password in its first line; at its end the account signs out. Standard
 * output gets one line for each event: "connected", "error REASON TEXT", "disconnected", and
 * "question TITLE" for what it would ask somebody at a screen and is not answered here. Standard
 * error gets what libpurple says when it is asked for everything. $HOME holds all it keeps.
 */
#include <stdio.h>
#include <string.h>

#include <glib.h>
#include <purple.h>

#define UI "headless"
#define PLUGINS "/usr/lib/purple-2"

static GMainLoop *loop;

/* --- what libpurple asks of a program: timers and sockets, here GLib's */

typedef struct {
    PurpleInputFunction function;
    gpointer data;
} Watch;

static gboolean ready(GIOChannel *channel, GIOCondition condition, gpointer data)
{
    Watch *watch = data;
    PurpleInputCondition what = 0;

    if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        what |= PURPLE_INPUT_READ;
    if (condition & (G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL))
        what |= PURPLE_INPUT_WRITE;
    watch->function(watch->data, g_io_channel_unix_get_fd(channel), what);
    return TRUE;
}

static guint input_add(int fd, PurpleInputCondition what, PurpleInputFunction function, gpointer data)
{
    GIOCondition condition = G_IO_HUP | G_IO_ERR | G_IO_NVAL;
    GIOChannel *channel = g_io_channel_unix_new(fd);
    Watch *watch = g_new(Watch, 1);
    guint handle;

    *watch = (Watch){function, data};
    if (what & PURPLE_INPUT_READ)
        condition |= G_IO_IN;
    if (what & PURPLE_INPUT_WRITE)
        condition |= G_IO_OUT;
    handle = g_io_add_watch_full(channel, G_PRIORITY_DEFAULT, condition, ready, watch, g_free);
    g_io_channel_unref(channel);
    return handle;
}

static PurpleEventLoopUiOps event_loop = {
    .timeout_add = g_timeout_add,
    .timeout_remove = g_source_remove,
    .input_add = input_add,
    .input_remove = g_source_remove,
    .timeout_add_seconds = g_timeout_add_seconds,
};

/* --- what it tells a program */

static void tell(const char *event)
{
    puts(event);
    fflush(stdout);
}

static void log_line(PurpleDebugLevel level, const char *category, const char *text)
{
    (void)level;
    fprintf(stderr, "%s: %s", category ? category : "-", text);
}

static gboolean log_all(PurpleDebugLevel level, const char *category)
{
    (void)level, (void)category;
    return TRUE;
}

static void connected(PurpleConnection *connection)
{
    (void)connection;
    tell("connected");
}

static void disconnected(PurpleConnection *connection)
{
    (void)connection;
    tell("disconnected");
}

static void failed(PurpleConnection *connection, PurpleConnectionError reason, const char *text)
{
    g_autofree char *event = g_strdup_printf("error %d %s", reason, text);

    (void)connection;
    tell(g_strdelimit(event, "\r\n", ' '));
}

static PurpleDebugUiOps debug = {.print = log_line, .is_enabled = log_all};
static PurpleConnectionUiOps connections = {
    .connected = connected,
    .disconnected = disconnected,
    .report_disconnect_reason = failed,
};

static void *question(const char *title, const char *primary, const char *secondary,
                      int default_action, PurpleAccount *account, const char *who,
                      PurpleConversation *conversation, void *data, size_t count, va_list actions)
{
    g_autofree char *event = g_strdup_printf("question %s", primary ? primary : title);

    (void)secondary, (void)default_action, (void)account, (void)who, (void)conversation;
    (void)data, (void)count, (void)actions;
    tell(g_strdelimit(event, "\r\n", ' '));
    return NULL;
}

static PurpleRequestUiOps requests = {.request_action = question};

static void debug_ui_init(void)
{
    purple_debug_set_ui_ops(&debug);
}

static void ui_init(void)
{
    purple_connections_set_ui_ops(&connections);
    purple_request_set_ui_ops(&requests);
}

static PurpleCoreUiOps core = {.debug_ui_init = debug_ui_init, .ui_init = ui_init};

/* --- the account */

static gboolean start(void)
{
    purple_core_set_ui_ops(&core);
    purple_eventloop_set_ui_ops(&event_loop);
    purple_plugins_add_search_path(PLUGINS);
    if (!purple_core_init(UI))
        return FALSE;
    purple_set_blist(purple_blist_new());
    /* Otherwise it asks the routers around about the address that it has outside. */
    purple_prefs_set_bool("/purple/network/auto_ip", FALSE);
    purple_prefs_set_bool("/purple/network/map_ports", FALSE);
    return purple_find_prpl("prpl-sipe") != NULL;
}

/* Trusts this CA for as long as the program runs; libpurple verifies chain and name by itself. */
static gboolean trust(const char *ca_file)
{
    PurpleCertificatePool *authorities = purple_certificate_find_pool("x509", "ca");
    PurpleCertificate *ca =
        purple_certificate_import(purple_certificate_find_scheme("x509"), ca_file);

    return authorities && ca && purple_certificate_pool_store(authorities, UI, ca);
}

static PurpleAccount *account_of(char **arguments, const char *password)
{
    PurpleAccount *account = purple_account_new(arguments[1], "prpl-sipe");

    purple_account_set_password(account, password);
    purple_account_set_string(account, "server", arguments[2]);
    purple_account_set_string(account, "transport", "tls");
    purple_account_set_string(account, "authentication", arguments[3]);
    purple_account_set_bool(account, "sso", password[0] == '\0');
    purple_account_set_bool(account, "dont-publish", TRUE);
    purple_accounts_add(account);
    return account;
}

static gboolean standard_input(GIOChannel *channel, GIOCondition condition, gpointer data)
{
    char byte;

    (void)condition, (void)data;
    if (g_io_channel_read_chars(channel, &byte, 1, NULL, NULL) == G_IO_STATUS_NORMAL)
        return TRUE;
    g_main_loop_quit(loop);
    return FALSE;
}

int main(int count, char **arguments)
{
    char password[256] = "";
    PurpleAccount *account;
    GIOChannel *input;

    if (count != 5 || !fgets(password, sizeof password, stdin)) {
        fputs("usage: headless ACCOUNT SERVER AUTHENTICATION CA_FILE <PASSWORD\n", stderr);
        return 2;
    }
    password[strcspn(password, "\n")] = '\0';
    if (!start() || !trust(arguments[4])) {
        fputs("headless: no pidgin-sipe, or no such CA\n", stderr);
        return 1;
    }
    account = account_of(arguments, password);
    purple_account_set_enabled(account, UI, TRUE);
    purple_savedstatus_activate(purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE));

    loop = g_main_loop_new(NULL, FALSE);
    input = g_io_channel_unix_new(fileno(stdin));
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, standard_input, NULL);
    g_main_loop_run(loop);
    if (!purple_account_is_disconnected(account))
        purple_account_disconnect(account);
    purple_core_quit();
    return 0;
}
