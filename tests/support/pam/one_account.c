/*
 * A libpam with one account, for the vsftpd of the tests.
 *
 * vsftpd can only check a password through PAM, and PAM only reads its services from /etc/pam.d. A test
 * must not write there, nor create users on the machine that it runs on. So the server is started with
 * this library preloaded: it asks for the password by the usual conversation, and compares it with
 * $SLIPWAY_TEST_USER and $SLIPWAY_TEST_PASSWORD. (pam_exec is no way out: vsftpd's handler for SIGCHLD
 * waits for the helper that pam_exec has already reaped, and hangs.)
 *
 * The declarations are those of the X/Open PAM interface as Linux-PAM lays them out, so that no
 * development package is needed to build it.
 */
#include <stdlib.h>
#include <string.h>

enum { PAM_SUCCESS = 0, PAM_AUTH_ERR = 7, PAM_CONV_ERR = 19, PAM_BUF_ERR = 5 };
enum { PAM_USER = 2, PAM_PROMPT_ECHO_OFF = 1 };

struct pam_message {
    int msg_style;
    const char *msg;
};

struct pam_response {
    char *resp;
    int resp_retcode;
};

struct pam_conv {
    int (*conv)(int, const struct pam_message **, struct pam_response **, void *);
    void *appdata_ptr;
};

typedef struct pam_handle {
    char *user;
    struct pam_conv conv;
} pam_handle_t;

int pam_start(const char *service, const char *user, const struct pam_conv *conv, pam_handle_t **out)
{
    pam_handle_t *handle = calloc(1, sizeof *handle);
    (void)service;
    if (handle == NULL)
        return PAM_BUF_ERR;
    handle->user = strdup(user != NULL ? user : "");
    handle->conv = *conv;
    *out = handle;
    return handle->user == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

int pam_authenticate(pam_handle_t *handle, int flags)
{
    const char *user = getenv("SLIPWAY_TEST_USER");
    const char *password = getenv("SLIPWAY_TEST_PASSWORD");
    struct pam_message message = {PAM_PROMPT_ECHO_OFF, "Password: "};
    const struct pam_message *messages = &message;
    struct pam_response *answer = NULL;
    int good;

    (void)flags;
    if (user == NULL || password == NULL)
        return PAM_AUTH_ERR;
    if (handle->conv.conv(1, &messages, &answer, handle->conv.appdata_ptr) != PAM_SUCCESS
        || answer == NULL || answer->resp == NULL)
        return PAM_CONV_ERR;
    good = strcmp(handle->user, user) == 0 && strcmp(answer->resp, password) == 0;
    free(answer->resp);
    free(answer);
    return good ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_set_item(pam_handle_t *handle, int type, const void *item)
{
    (void)handle, (void)type, (void)item;
    return PAM_SUCCESS;
}

int pam_get_item(const pam_handle_t *handle, int type, const void **item)
{
    *item = type == PAM_USER ? handle->user : NULL;
    return PAM_SUCCESS;
}

int pam_acct_mgmt(pam_handle_t *handle, int flags)
{
    (void)handle, (void)flags;
    return PAM_SUCCESS;
}

int pam_setcred(pam_handle_t *handle, int flags)
{
    (void)handle, (void)flags;
    return PAM_SUCCESS;
}

int pam_open_session(pam_handle_t *handle, int flags)
{
    (void)handle, (void)flags;
    return PAM_SUCCESS;
}

int pam_close_session(pam_handle_t *handle, int flags)
{
    (void)handle, (void)flags;
    return PAM_SUCCESS;
}

int pam_end(pam_handle_t *handle, int status)
{
    (void)status;
    if (handle != NULL)
        free(handle->user);
    free(handle);
    return PAM_SUCCESS;
}

const char *pam_strerror(pam_handle_t *handle, int code)
{
    (void)handle;
    return code == PAM_SUCCESS ? "Success" : "Refused by the test account";
}
