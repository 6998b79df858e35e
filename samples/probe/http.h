// A request and its response in a few calls, over the bindings of the world `app`.
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

typedef wasi_http_types_own_incoming_request_t request_t;
typedef wasi_http_types_own_response_outparam_t outparam_t;

static app_string_t text(const char *s) {
  return (app_string_t){.ptr = (uint8_t *)s, .len = strlen(s)};
}

static char *terminated(const uint8_t *bytes, size_t len) {
  char *copy = malloc(len + 1);
  memcpy(copy, bytes, len);
  copy[len] = 0;
  return copy;
}

// The path with its query; the caller frees it.
static char *path_of(request_t request) {
  app_string_t path;
  if (!wasi_http_types_method_incoming_request_path_with_query(
          wasi_http_types_borrow_incoming_request(request), &path))
    return terminated((const uint8_t *)"/", 1);
  return terminated(path.ptr, path.len);
}

// The parameter's value in a query without escapes, or NULL; the caller frees it.
static char *parameter(const char *path, const char *name) {
  const char *at = strchr(path, '?');
  size_t len = strlen(name);
  while (at) {
    at++;
    if (strncmp(at, name, len) == 0 && at[len] == '=')
      return terminated((const uint8_t *)at + len + 1, strcspn(at + len + 1, "&"));
    at = strchr(at, '&');
  }
  return NULL;
}

// The whole body; *len is its length. NULL when it ended early.
static uint8_t *body_of(request_t request, size_t *len) {
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  if (!wasi_http_types_method_incoming_request_consume(
          wasi_http_types_borrow_incoming_request(request), &body))
    return NULL;
  wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream);
  uint8_t *bytes = malloc(1);
  *len = 0;
  for (;;) {
    app_list_u8_t piece;
    wasi_io_streams_stream_error_t error;
    if (!wasi_io_streams_method_input_stream_blocking_read(
            wasi_io_streams_borrow_input_stream(stream), 65536, &piece, &error)) {
      bool at_end = error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED;
      wasi_io_streams_stream_error_free(&error);
      wasi_io_streams_input_stream_drop_own(stream);
      wasi_http_types_incoming_body_drop_own(body);
      if (at_end)
        return bytes;
      free(bytes);
      return NULL;
    }
    bytes = realloc(bytes, *len + piece.len + 1);
    memcpy(bytes + *len, piece.ptr, piece.len);
    *len += piece.len;
    app_list_u8_free(&piece);
  }
}

// A response whose head is set and whose body is written next.
typedef struct {
  wasi_http_types_own_outgoing_body_t body;
  wasi_http_types_own_output_stream_t stream;
} response_t;

static void header(wasi_http_types_own_fields_t fields, const char *name, const char *value) {
  app_string_t key = text(name);
  wasi_http_types_field_value_t bytes = {.ptr = (uint8_t *)value, .len = strlen(value)};
  wasi_http_types_header_error_t error;
  wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &key, &bytes, &error);
}

static response_t set_head(outparam_t out, int status, wasi_http_types_own_fields_t fields) {
  wasi_http_types_own_outgoing_response_t head = wasi_http_types_constructor_outgoing_response(fields);
  wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(head);
  wasi_http_types_method_outgoing_response_set_status_code(borrowed, status);
  response_t response;
  wasi_http_types_method_outgoing_response_body(borrowed, &response.body);
  wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(response.body), &response.stream);
  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val.ok = head};
  wasi_http_types_static_response_outparam_set(out, &result);
  return response;
}

static void write_body(response_t *response, const void *bytes, size_t len) {
  wasi_io_streams_stream_error_t error;
  while (len > 0) {
    app_list_u8_t piece = {.ptr = (uint8_t *)bytes, .len = len < 4096 ? len : 4096};
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
            wasi_io_streams_borrow_output_stream(response->stream), &piece, &error))
      return;
    bytes = (const uint8_t *)bytes + piece.len;
    len -= piece.len;
  }
}

static void finish(response_t *response) {
  wasi_http_types_error_code_t error;
  wasi_io_streams_output_stream_drop_own(response->stream);
  wasi_http_types_static_outgoing_body_finish(response->body, NULL, &error);
}

static void answer_bytes(outparam_t out, int status, const void *bytes, size_t len) {
  response_t response = set_head(out, status, wasi_http_types_constructor_fields());
  write_body(&response, bytes, len);
  finish(&response);
}

static void answer(outparam_t out, int status, const char *words) {
  answer_bytes(out, status, words, strlen(words));
}
