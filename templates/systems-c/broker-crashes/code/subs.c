#include "conn.h"
#include "mem.h"
#include "text.h"
#include "topic.h"
#include <string.h>

typedef struct sub {
    struct sub *next;
    conn *who;
    char *pattern;
} sub;

static sub *first;
static unsigned rounds;

static sub **place(conn *who, const char *pattern)
{
    sub **at = &first;
    while (*at && ((*at)->who != who || strcmp((*at)->pattern, pattern) != 0))
        at = &(*at)->next;
    return at;
}

static void unlink_at(sub **at)
{
    sub *gone = *at;
    *at = gone->next;
    mem_give(gone->pattern);
    mem_give(gone);
}

int subs_add(conn *who, const char *pattern)
{
    sub **at = place(who, pattern);
    if (*at)
        return 0;
    sub *one = mem_take(sizeof *one);
    one->next = NULL;
    one->who = who;
    one->pattern = text_copy(pattern, strlen(pattern));
    *at = one;
    return 1;
}

int subs_drop(conn *who, const char *pattern)
{
    sub **at = place(who, pattern);
    if (!*at)
        return 0;
    unlink_at(at);
    return 1;
}

void subs_drop_all(conn *who)
{
    sub **at = &first;
    while (*at)
        if ((*at)->who == who)
            unlink_at(at);
        else
            at = &(*at)->next;
}

unsigned subs_count(const conn *who)
{
    unsigned count = 0;
    for (sub *one = first; one; one = one->next)
        count += one->who == who;
    return count;
}

unsigned subs_publish(const char *topic, const char *text)
{
    unsigned count = 0;
    rounds++;
    for (sub *one = first; one; one = one->next) {
        if (one->who->round == rounds || !topic_matches(one->pattern, topic))
            continue;
        one->who->round = rounds;
        char *start = text_join("msg ", topic, " ");
        conn_send(one->who, text_join(start, text, ""));
        mem_give(start);
        count++;
    }
    return count;
}
