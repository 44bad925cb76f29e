/* Checks that end the program, and say where. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file or case that is looked at. */
extern const char *check_context;
/* How many calls of the library gave what they had to. */
extern unsigned long check_count;

#define REQUIRE(condition, what)                                                                    \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            fprintf(stderr, "%s:%d: %s: %s (%s)\n", __FILE__, __LINE__, check_context, what, #condition); \
            exit(1);                                                                                \
        }                                                                                           \
    } while (0)

/* A call's result, by its text. */
#define EXPECT(call, want)                                                                          \
    do {                                                                                            \
        const char *got_ = touchstone_code_text(call);                                              \
        const char *want_ = (want);                                                                 \
        if (strcmp(got_, want_) != 0) {                                                             \
            fprintf(stderr, "%s:%d: %s: %s gives %s, not %s\n", __FILE__, __LINE__, check_context,   \
                    #call, got_, want_);                                                            \
            exit(1);                                                                                \
        }                                                                                           \
        check_count++;                                                                              \
    } while (0)

/* A whole file; the caller frees it. */
char *read_file(const char *path, size_t *len);

/* directory/name; the caller frees it. */
char *join(const char *directory, const char *name);

#endif
