#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Deeper than any vector. */
enum { MAX_DEPTH = 32 };

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static size_t skip_space(json in, size_t at)
{
    while (at < in.len && is_space(in.text[at]))
        at++;
    return at;
}

static char char_at(json in, size_t at)
{
    REQUIRE(at < in.len, "JSON ends early");
    return in.text[at];
}

/* The end of the value that begins at `at`. */
static size_t value_end(json in, size_t at, int depth)
{
    REQUIRE(depth < MAX_DEPTH, "JSON is nested too deeply");
    char first = char_at(in, at);
    if (first == '"') {
        for (at++; char_at(in, at) != '"'; at++)
            ;
        return at + 1;
    }
    if (first != '{' && first != '[') {
        size_t start = at;
        while (at < in.len && !is_space(in.text[at]) && !strchr(",]}:", in.text[at]))
            at++;
        REQUIRE(at > start, "JSON lacks a value");
        return at;
    }
    char last = first == '{' ? '}' : ']';
    at = skip_space(in, at + 1);
    if (char_at(in, at) == last)
        return at + 1;
    for (;;) {
        if (first == '{') {
            REQUIRE(char_at(in, at) == '"', "JSON lacks a name");
            at = skip_space(in, value_end(in, at, depth + 1));
            REQUIRE(char_at(in, at) == ':', "JSON lacks a colon");
            at = skip_space(in, at + 1);
        }
        at = skip_space(in, value_end(in, at, depth + 1));
        char c = char_at(in, at);
        if (c == last)
            return at + 1;
        REQUIRE(c == ',', "JSON lacks a comma");
        at = skip_space(in, at + 1);
    }
}

static json span(json in, size_t start, size_t end)
{
    return (json){in.text + start, end - start};
}

json json_parse(const char *text, size_t len)
{
    json in = {text, len};
    REQUIRE(memchr(text, '\\', len) == NULL, "escapes are not read here");
    size_t start = skip_space(in, 0);
    size_t end = value_end(in, start, 0);
    REQUIRE(skip_space(in, end) == len, "something follows the JSON");
    return span(in, start, end);
}

bool json_next(json container, size_t *at, json *name, json *value)
{
    char first = char_at(container, 0);
    REQUIRE(first == '{' || first == '[', "neither an array nor an object");
    size_t start = skip_space(container, *at == 0 ? 1 : *at);
    if (start + 1 >= container.len)
        return false;
    if (container.text[start] == ',')
        start = skip_space(container, start + 1);
    size_t end = value_end(container, start, 0);
    if (first == '{') {
        if (name)
            *name = json_string(span(container, start, end));
        start = skip_space(container, skip_space(container, end) + 1);
        end = value_end(container, start, 0);
    }
    *value = span(container, start, end);
    *at = skip_space(container, end);
    return true;
}

json json_find(json object, const char *name)
{
    size_t at = 0;
    json key, value;
    REQUIRE(char_at(object, 0) == '{', "not an object");
    while (json_next(object, &at, &key, &value))
        if (json_is(key, name))
            return value;
    return (json){NULL, 0};
}

json json_get(json object, const char *name)
{
    json value = json_find(object, name);
    REQUIRE(value.text != NULL, name);
    return value;
}

json json_string(json value)
{
    REQUIRE(value.len >= 2 && value.text[0] == '"', "not a string");
    return span(value, 1, value.len - 1);
}

bool json_is(json string, const char *text)
{
    return string.len == strlen(text) && memcmp(string.text, text, string.len) == 0;
}

uint64_t json_u64(json value)
{
    if (char_at(value, 0) == '"')
        value = json_string(value);
    REQUIRE(value.len > 0, "not a number");
    uint64_t number = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned digit = (unsigned)value.text[i] - '0';
        REQUIRE(digit < 10 && number <= (UINT64_MAX - digit) / 10, "not a number of 64 bits");
        number = number * 10 + digit;
    }
    return number;
}

int64_t json_i64(json value)
{
    bool negative = char_at(value, 0) == '-';
    uint64_t size = json_u64(negative ? span(value, 1, value.len) : value);
    REQUIRE(size <= INT64_MAX, "not a number of 63 bits");
    return negative ? -(int64_t)size : (int64_t)size;
}

static unsigned nibble(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    REQUIRE(found, "not hexadecimal");
    return (unsigned)(found - digits);
}

uint8_t *json_hex(json value, size_t *len)
{
    value = json_string(value);
    REQUIRE(value.len % 2 == 0, "half a byte");
    *len = value.len / 2;
    /* Exactly as long as it is, so that a sanitizer sees a read past the end. */
    uint8_t *bytes = malloc(*len ? *len : 1);
    REQUIRE(bytes, "memory");
    for (size_t i = 0; i < *len; i++)
        bytes[i] = (uint8_t)(nibble(value.text[2 * i]) << 4 | nibble(value.text[2 * i + 1]));
    return bytes;
}
