#include "check.h"

const char *check_context = "start";
unsigned long check_count;

char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file, path);
    REQUIRE(fseek(file, 0, SEEK_END) == 0, path);
    long size = ftell(file);
    REQUIRE(size > 0 && fseek(file, 0, SEEK_SET) == 0, path);
    *len = (size_t)size;
    char *text = malloc(*len);
    REQUIRE(text && fread(text, 1, *len, file) == *len, path);
    fclose(file);
    return text;
}

char *join(const char *directory, const char *name)
{
    size_t len = strlen(directory) + strlen(name) + 2;
    char *path = malloc(len);
    REQUIRE(path, "memory");
    snprintf(path, len, "%s/%s", directory, name);
    return path;
}
