/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TESTS_PIXELS_PROGRAM_H
#define ISTHMUS_TESTS_PIXELS_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/*
 * A client program: steps with random arguments. What a step does is decided from its arguments and
 * from what the steps before it did, so that any selection of a program's steps is a program again,
 * and it does the same on every connection.
 */
enum step_kind {
	STEP_COMMIT, // draw, damage, attach, commit
	STEP_COMMIT_STATE, // commit without attach
	STEP_SINGLE_PIXEL,
	STEP_UNMAP,
	STEP_ADD_SUBSURFACE,
	STEP_DESTROY_SURFACE,
	STEP_REROLE, // a subsurface loses its role and gets it again
	STEP_POSITION,
	STEP_RESTACK,
	STEP_SYNC,
	STEP_TRANSFORM,
	STEP_SCALE,
	STEP_VIEWPORT,
	STEP_DROP_VIEWPORT,
	STEP_OFFSET,
	STEP_REGIONS,
	STEP_FRAME,
	STEP_DROP_BUFFERS,
	STEP_DROP_POOL,
	STEP_CHECK, // compare what is composed
	STEP_ERROR, // break the protocol; the last one
	STEP_KINDS,
};

struct step {
	enum step_kind kind;
	uint32_t args[8];
};

#define PROGRAM_MAX_STEPS 96

struct program {
	uint64_t seed;
	size_t n_steps;
	struct step steps[PROGRAM_MAX_STEPS];
};

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
/* In [low, high]. */
int32_t random_between(struct random *random, int32_t low, int32_t high);

void program_generate(struct program *program, uint64_t seed);
void program_print(const struct program *program);

#endif
