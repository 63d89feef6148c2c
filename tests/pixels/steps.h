/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_PIXELS_STEPS_H
#define ISTHMUS_TESTS_PIXELS_STEPS_H

#include "tests/pixels/world.h"

void step_run(struct world *world, const struct step *step);

/* STEP_COMMIT. */
void step_commit(struct surface *surface, const struct step *step);

/* STEP_ERROR. */
void step_error(struct world *world, const struct step *step);

/* What a commit makes of the surface's pending state must be legal; makes it so. */
void surface_fix_state(struct surface *surface);

/* A buffer that is turned is new all over, but only its client can say so. */
void surface_damage_turned(struct surface *surface);

/* Destroys what there is of it, the window's role apart. */
void surface_finish(struct surface *surface);

/* It shows nothing any more. */
void surface_forget_content(struct surface *surface);

/* Its viewport, made when there is none. */
struct wp_viewport *surface_viewport(struct surface *surface);

/* Draws into the canvas, which is made when there is none or resize, and tells the damage. */
void surface_draw(struct surface *surface, const struct step *step);

void world_configure(struct world *world);

#endif
