/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_GUIVM_SERVER_CARRY_H
#define ISTHMUS_GUIVM_SERVER_CARRY_H

struct carry;
struct server;
struct view;

/*
 * Text that the user carries from one VM to another. In a window of the first, one key takes what
 * that VM has copied; in a window of the second, another key gives it, once, and then it can be
 * pasted there. No VM can start either, and the second learns nothing before it is given.
 *
 * Whether it may go is the VM set's word: one of the two VMs must name the other in its clipboard
 * lists, and then guivm.clipboard allows it, refuses it, or has the question asked in the title bar
 * of the window that it would go to, which the same key answers.
 */
struct carry *carry_create(struct server *server);
void carry_destroy(struct carry *carry);

/* The user's two keys, in the window that has the focus. Its title bar says what came of it. */
void carry_take(struct server *server, struct view *view);
void carry_give(struct server *server, struct view *view);

/* The window went. */
void carry_forget_view(struct server *server, struct view *view);

#endif
