// The guest of the tests: every path under its context path does one thing, good or bad.
#include "http.h"

typedef sessile_web_session_own_http_session_t session_t;
typedef sessile_web_session_error_t error_t;

// State that one instance keeps between requests.
static int served = 0;
static bool has_kept = false;
static session_t kept;
// Volatile, so that no compiler leaves their loops out.
static volatile unsigned long long spun = 0;
static char *volatile eaten;

static sessile_web_session_borrow_http_session_t borrow(session_t session) {
  return sessile_web_session_borrow_http_session(session);
}

static const char *const ERRORS[] = {
    "invalidated", "committed", "read-only", "bad-name", "too-large", "too-many-sessions", "unavailable",
};

static void tell_error(outparam_t out, error_t *error) {
  char words[64];
  if (error->tag == SESSILE_WEB_SESSION_ERROR_TOO_LARGE)
    snprintf(words, sizeof words, "too-large %llu", (unsigned long long)error->val.too_large);
  else
    snprintf(words, sizeof words, "%s", ERRORS[error->tag]);
  answer(out, 200, words);
}

static void tell(outparam_t out, bool is_done, error_t *error) {
  if (is_done)
    answer(out, 200, "done");
  else
    tell_error(out, error);
}

static bool set_json(session_t session, const char *name, const char *json, error_t *error) {
  app_string_t key = text(name), value = text(json);
  return sessile_web_session_method_http_session_set_json(borrow(session), &key, &value, error);
}

static int count_of(session_t session) {
  app_string_t name = text("count");
  app_option_string_t json;
  error_t error;
  if (!sessile_web_session_method_http_session_get_json(borrow(session), &name, &json, &error) || !json.is_some)
    return 0;
  char *number = terminated(json.val.ptr, json.val.len);
  int count = atoi(number);
  free(number);
  return count;
}

static void count(outparam_t out, session_t session) {
  char words[128];
  error_t error;
  bool is_new = false;
  app_string_t key = {0};
  snprintf(words, sizeof words, "%d", count_of(session) + 1);
  if (!set_json(session, "count", words, &error))
    return tell_error(out, &error);
  sessile_web_session_method_http_session_is_new(borrow(session), &is_new, &error);
  sessile_web_session_method_http_session_key(borrow(session), &key, &error);
  snprintf(words, sizeof words, "{\"count\":%d,\"new\":%s,\"key\":\"%.*s\"}", count_of(session),
           is_new ? "true" : "false", (int)key.len, (char *)key.ptr);
  answer(out, 200, words);
}

// Sets attribute `name` to the request's body.
static void put(request_t request, outparam_t out, session_t session, const char *path) {
  size_t len = 0;
  uint8_t *bytes = body_of(request, &len);
  char *name = parameter(path, "name");
  app_string_t key = text(name ? name : "");
  app_list_u8_t value = {.ptr = bytes, .len = len};
  error_t error;
  tell(out, sessile_web_session_method_http_session_set(borrow(session), &key, &value, &error), &error);
}

static void get(outparam_t out, session_t session, const char *path) {
  char *name = parameter(path, "name");
  app_string_t key = text(name ? name : "");
  app_option_list_u8_t value;
  error_t error;
  if (!sessile_web_session_method_http_session_get(borrow(session), &key, &value, &error))
    return tell_error(out, &error);
  if (value.is_some)
    answer_bytes(out, 200, value.val.ptr, value.val.len);
  else
    answer(out, 404, "none");
}

static void names(outparam_t out, session_t session) {
  app_list_string_t list;
  error_t error;
  if (!sessile_web_session_method_http_session_names(borrow(session), &list, &error))
    return tell_error(out, &error);
  response_t response = set_head(out, 200, wasi_http_types_constructor_fields());
  for (size_t i = 0; i < list.len; i++) {
    write_body(&response, list.ptr[i].ptr, list.ptr[i].len);
    write_body(&response, "\n", 1);
  }
  finish(&response);
}

static void log_in(outparam_t out, session_t session) {
  app_string_t name = text("ada");
  error_t error;
  bool is_done = sessile_web_session_method_http_session_set_principal(borrow(session), &name, &error) &&
                 sessile_web_session_method_http_session_change_id(borrow(session), &error);
  tell(out, is_done, &error);
}

// Writes when the head is set, and says in the body what came of it.
static void write_late(outparam_t out, session_t session) {
  error_t error;
  response_t response = set_head(out, 200, wasi_http_types_constructor_fields());
  const char *outcome = set_json(session, "late", "1", &error) ? "done" : ERRORS[error.tag];
  write_body(&response, outcome, strlen(outcome));
  finish(&response);
}

// Answers with the headers of the request.
static void headers(request_t request, outparam_t out) {
  wasi_http_types_own_headers_t given =
      wasi_http_types_method_incoming_request_headers(wasi_http_types_borrow_incoming_request(request));
  wasi_http_types_list_tuple2_field_name_field_value_t all;
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(given), &all);
  wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
  header(fields, "set-cookie", "sid=forged; Path=/");
  header(fields, "set-cookie", "theme=dark");
  response_t response = set_head(out, 200, fields);
  for (size_t i = 0; i < all.len; i++) {
    write_body(&response, all.ptr[i].f0.ptr, all.ptr[i].f0.len);
    write_body(&response, ": ", 2);
    write_body(&response, all.ptr[i].f1.ptr, all.ptr[i].f1.len);
    write_body(&response, "\n", 1);
  }
  finish(&response);
}

static void echo(request_t request, outparam_t out) {
  size_t len = 0;
  uint8_t *bytes = body_of(request, &len);
  if (bytes)
    answer_bytes(out, 200, bytes, len);
  else
    answer(out, 200, "the body ended early");
}

static void wait_for(wasi_io_poll_own_pollable_t pollable) {
  wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
  wasi_io_poll_pollable_drop_own(pollable);
}

static void sleep_for(unsigned long long milliseconds) {
  wait_for(wasi_clocks_monotonic_clock_subscribe_duration(milliseconds * 1000000));
}

// Calls http://AUTHORITY/ and says with which status it answers, or that it cannot be called.
static void call_out(outparam_t out, const char *path) {
  char *to = parameter(path, "authority");
  app_string_t authority = text(to ? to : ""), root = text("/");
  wasi_http_types_scheme_t scheme = {.tag = WASI_HTTP_TYPES_SCHEME_HTTP};
  wasi_http_types_own_outgoing_request_t request =
      wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
  wasi_http_types_borrow_outgoing_request_t borrowed = wasi_http_types_borrow_outgoing_request(request);
  wasi_http_types_method_outgoing_request_set_authority(borrowed, &authority);
  wasi_http_types_method_outgoing_request_set_path_with_query(borrowed, &root);
  wasi_http_types_method_outgoing_request_set_scheme(borrowed, &scheme);
  wasi_http_types_own_future_incoming_response_t future;
  wasi_http_types_error_code_t error;
  if (!wasi_http_outgoing_handler_handle(request, NULL, &future, &error))
    return answer(out, 200, error.tag == WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED ? "denied" : "refused");
  wasi_http_types_borrow_future_incoming_response_t pending =
      wasi_http_types_borrow_future_incoming_response(future);
  wait_for(wasi_http_types_method_future_incoming_response_subscribe(pending));
  wasi_http_types_result_result_own_incoming_response_error_code_void_t result;
  if (!wasi_http_types_method_future_incoming_response_get(pending, &result) || result.is_err || result.val.ok.is_err) {
    bool is_denied = !result.is_err && result.val.ok.val.err.tag == WASI_HTTP_TYPES_ERROR_CODE_HTTP_REQUEST_DENIED;
    return answer(out, 200, is_denied ? "denied" : "failed");
  }
  char words[32];
  int status = wasi_http_types_method_incoming_response_status(
      wasi_http_types_borrow_incoming_response(result.val.ok.val.ok));
  snprintf(words, sizeof words, "called %d", status);
  answer(out, 200, words);
}

// Keeps a handle of this request's session for a later request of this instance.
static void keep(outparam_t out, session_t session) {
  kept = session;
  has_kept = true;
  answer(out, 200, "kept");
}

static void use_kept(outparam_t out) {
  error_t error;
  app_string_t key;
  if (!has_kept)
    return answer(out, 200, "nothing is kept");
  if (!sessile_web_session_method_http_session_key(borrow(kept), &key, &error))
    return tell_error(out, &error);
  answer_bytes(out, 200, key.ptr, key.len);
}

static void spin(void) {
  for (;;)
    spun++;
}

static void eat(void) {
  for (;;) {
    char *memory = malloc(1 << 20);
    if (!memory)
      __builtin_trap();
    memset(memory, 1, 1 << 20);
    eaten = memory;
  }
}

// Allocates this many MiB at once; returns whether it succeeded.
static void take(outparam_t out, const char *path) {
  char *mib = parameter(path, "mib");
  eaten = malloc((mib ? strtoul(mib, NULL, 10) : 1) << 20);
  answer(out, 200, eaten ? "taken" : "there is no more");
}

static void served_so_far(outparam_t out) {
  char words[16];
  snprintf(words, sizeof words, "%d", served);
  answer(out, 200, words);
}

static void environment(outparam_t out) {
  const char *greeting = getenv("GREETING"), *path = getenv("PATH");
  char words[256];
  snprintf(words, sizeof words, "GREETING=%s PATH=%s", greeting ? greeting : "", path ? path : "");
  answer(out, 200, words);
}

// Actions without a session. False for an unknown action.
static bool without_session(request_t request, outparam_t out, const char *path, const char *act) {
  if (!strcmp(act, "hello"))
    answer(out, 200, "hello");
  else if (!strcmp(act, "headers"))
    headers(request, out);
  else if (!strcmp(act, "echo"))
    echo(request, out);
  else if (!strcmp(act, "served"))
    served_so_far(out);
  else if (!strcmp(act, "kept"))
    use_kept(out);
  else if (!strcmp(act, "env"))
    environment(out);
  else if (!strcmp(act, "call"))
    call_out(out, path);
  else if (!strcmp(act, "take"))
    take(out, path);
  else if (!strcmp(act, "spin"))
    spin();
  else if (!strcmp(act, "eat"))
    eat();
  else if (!strcmp(act, "trap"))
    __builtin_trap();
  else if (!strcmp(act, "silent"))
    return true;
  else if (!strcmp(act, "slow")) {
    char *milliseconds = parameter(path, "ms");
    sleep_for(milliseconds ? strtoull(milliseconds, NULL, 10) : 600000);
    answer(out, 200, "slept");
  } else if (!strcmp(act, "print")) {
    printf("the guest says hello\n");
    fprintf(stderr, "and %s", "complains");
    fflush(stdout);
    answer(out, 200, "printed");
  } else
    return false;
  return true;
}

// Actions on the session. False for an unknown action.
static bool with_session(request_t request, outparam_t out, const char *path, const char *act, session_t session) {
  error_t error;
  if (!strcmp(act, "count"))
    count(out, session);
  else if (!strcmp(act, "put"))
    put(request, out, session, path);
  else if (!strcmp(act, "get"))
    get(out, session, path);
  else if (!strcmp(act, "names"))
    names(out, session);
  else if (!strcmp(act, "log-in"))
    log_in(out, session);
  else if (!strcmp(act, "invalidate"))
    tell(out, sessile_web_session_method_http_session_invalidate(borrow(session), &error), &error);
  else if (!strcmp(act, "late"))
    write_late(out, session);
  else if (!strcmp(act, "keep"))
    keep(out, session);
  else if (!strcmp(act, "slow-count")) {
    sleep_for(200);
    count(out, session);
  } else if (!strcmp(act, "write-and-trap")) {
    set_json(session, "count", "1000", &error);
    __builtin_trap();
  } else if (!strcmp(act, "write-and-spin")) {
    set_json(session, "count", "1000", &error);
    spin();
  } else if (!strcmp(act, "use-after-invalidate")) {
    sessile_web_session_method_http_session_invalidate(borrow(session), &error);
    tell(out, set_json(session, "count", "1", &error), &error);
  } else
    return false;
  return true;
}

void exports_wasi_http_incoming_handler_handle(request_t request, outparam_t out) {
  served++;
  char *path = path_of(request);
  char act[64] = {0};
  size_t end = strcspn(path, "?"), start = end;
  while (start > 0 && path[start - 1] != '/')
    start--;
  snprintf(act, sizeof act, "%.*s", (int)(end - start), path + start);
  if (!without_session(request, out, path, act)) {
    session_t session;
    error_t error;
    if (!strcmp(act, "current"))
      answer(out, 200, sessile_web_session_current(&session) ? "there is one" : "there is none");
    else if (!sessile_web_session_get_or_create(&session, &error))
      tell_error(out, &error);
    else if (!with_session(request, out, path, act, session))
      answer(out, 404, "no such act");
  }
  free(path);
}
