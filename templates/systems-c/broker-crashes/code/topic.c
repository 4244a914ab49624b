#include "topic.h"
#include <string.h>

static int letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.';
}

int topic_valid(const char *topic, int star)
{
    size_t size = strlen(topic);
    if (size == 0 || size > TOPIC_MOST)
        return 0;
    for (size_t at = 0; at < size; at++)
        if (!letter(topic[at]) && !(star && topic[at] == '*' && topic[at + 1] == 0))
            return 0;
    return 1;
}

int topic_matches(const char *pattern, const char *topic)
{
    size_t size = strlen(pattern);
    if (pattern[size - 1] == '*')
        return strncmp(pattern, topic, size - 1) == 0;
    return strcmp(pattern, topic) == 0;
}
