/* Connections and what they have subscribed to. */
#ifndef CONN_H
#define CONN_H
#include "ring.h"

typedef struct conn {
    struct conn *next;
    char *name;
    int held;
    unsigned lost, round;
    ring waiting;
} conn;

conn *conn_find(const char *name);
conn *conn_open(const char *name);
void conn_close(conn *who);
void conn_close_all(void);

/* Prints a message, or lets it wait. Owns the text. */
void conn_send(conn *who, char *text);

/* Prints all that waits; from now on messages are printed at once. */
void conn_go(conn *who);

/* Returns 0 if there is such a subscription, or none. */
int subs_add(conn *who, const char *pattern);
int subs_drop(conn *who, const char *pattern);
void subs_drop_all(conn *who);
unsigned subs_count(const conn *who);

/* Sends a message to each connection with a matching pattern, in the order of their first one; returns to how many. */
unsigned subs_publish(const char *topic, const char *text);

#endif
