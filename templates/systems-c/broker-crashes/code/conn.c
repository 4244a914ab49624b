#include "conn.h"
#include "mem.h"
#include "text.h"
#include <stdio.h>
#include <string.h>

static conn *first;

conn *conn_find(const char *name)
{
    for (conn *one = first; one; one = one->next)
        if (strcmp(one->name, name) == 0)
            return one;
    return NULL;
}

conn *conn_open(const char *name)
{
    conn *one = mem_take(sizeof *one);
    memset(one, 0, sizeof *one);
    one->name = text_copy(name, strlen(name));
    one->next = first;
    first = one;
    return one;
}

void conn_close(conn *who)
{
    conn **at = &first;
    while (*at != who)
        at = &(*at)->next;
    *at = who->next;
    subs_drop_all(who);
    ring_clear(&who->waiting);
    mem_give(who->name);
    mem_give(who);
}

void conn_close_all(void)
{
    while (first)
        conn_close(first);
}

void conn_send(conn *who, char *text)
{
    if (who->held) {
        who->lost += (unsigned)ring_push(&who->waiting, text);
        return;
    }
    printf("%s %s\n", who->name, text);
    mem_give(text);
}

void conn_go(conn *who)
{
    who->held = 0;
    while (who->waiting.count)
        conn_send(who, ring_pop(&who->waiting));
}
