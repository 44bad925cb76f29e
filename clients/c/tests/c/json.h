/*
 * As much of JSON as the vectors need, without copies: a value is the span of its text. Text in the vectors has no escapes; one
 * that has is refused. The program ends at the first thing that is not as expected.
 */
#ifndef TESTS_JSON_H
#define TESTS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of a value; NULL for one that is not there. */
typedef struct json {
    const char *text;
    size_t len;
} json;

/* The one value of a whole text. */
json json_parse(const char *text, size_t len);

/* A member of an object, and one that may be missing. */
json json_get(json object, const char *name);
json json_find(json object, const char *name);

/* Goes through an array or an object: starts with *at = 0, and ends with false. `name` may be NULL. */
bool json_next(json container, size_t *at, json *name, json *value);

/* The characters between the quotes. */
json json_string(json value);
bool json_is(json string, const char *text);

/* Integers, quoted or not. */
uint64_t json_u64(json value);
int64_t json_i64(json value);

/* Decodes a hexadecimal string; the bytes are the caller's to free. */
uint8_t *json_hex(json value, size_t *len);

#endif
