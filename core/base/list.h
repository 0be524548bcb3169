/*
 * list.h - intrusive doubly linked lists (a link inside the element, a head outside).
 */
#ifndef HY_BASE_LIST_H
#define HY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hy_link {
    struct hy_link *prev, *next; /* both point at the link itself when on no list */
} hy_link;

/** The element that holds this link. */
#define hy_container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void hy_list_init(hy_link *head)
{
    head->prev = head->next = head;
}
static inline bool hy_list_empty(const hy_link *head)
{
    return head->next == head;
}
static inline void hy_list_insert(hy_link *after, hy_link *link)
{
    link->prev = after;
    link->next = after->next;
    after->next->prev = link;
    after->next = link;
}
static inline void hy_list_push_back(hy_link *head, hy_link *link)
{
    hy_list_insert(head->prev, link);
}
static inline void hy_list_push_front(hy_link *head, hy_link *link)
{
    hy_list_insert(head, link);
}
/** Off its list; safe to call on a link that is on none. */
static inline void hy_list_remove(hy_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    hy_list_init(link);
}
#define hy_list_each(it, head) for (hy_link *it = (head)->next; it != (head); it = it->next)

#endif
