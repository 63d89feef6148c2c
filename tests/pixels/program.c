/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pixels/program.h"

#include <stdio.h>

static const struct {
	const char *name;
	uint32_t weight;
} kinds[STEP_KINDS] = {
		[STEP_COMMIT] = {"commit", 34},
		[STEP_COMMIT_STATE] = {"commit-state", 6},
		[STEP_SINGLE_PIXEL] = {"single-pixel", 2},
		[STEP_UNMAP] = {"unmap", 2},
		[STEP_ADD_SUBSURFACE] = {"add-subsurface", 7},
		[STEP_DESTROY_SURFACE] = {"destroy-surface", 2},
		[STEP_REROLE] = {"rerole", 1},
		[STEP_POSITION] = {"position", 3},
		[STEP_RESTACK] = {"restack", 3},
		[STEP_SYNC] = {"sync", 3},
		[STEP_TRANSFORM] = {"transform", 5},
		[STEP_SCALE] = {"scale", 4},
		[STEP_VIEWPORT] = {"viewport", 6},
		[STEP_DROP_VIEWPORT] = {"drop-viewport", 1},
		[STEP_OFFSET] = {"offset", 2},
		[STEP_REGIONS] = {"regions", 2},
		[STEP_FRAME] = {"frame", 2},
		[STEP_DROP_BUFFERS] = {"drop-buffers", 2},
		[STEP_DROP_POOL] = {"drop-pool", 1},
		[STEP_CHECK] = {"check", 7},
		[STEP_ERROR] = {"error", 0},
};

// splitmix64, Steele, Lea and Flood 2014.
uint64_t random_next(struct random *random) {
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

int32_t random_between(struct random *random, int32_t low, int32_t high) {
	uint64_t span = (uint64_t)((int64_t)high - low) + 1;
	return (int32_t)(low + (int64_t)(random_next(random) % span));
}

static enum step_kind pick_kind(struct random *random) {
	uint32_t total = 0;
	for (int i = 0; i < STEP_KINDS; i++) {
		total += kinds[i].weight;
	}
	uint32_t at = (uint32_t)(random_next(random) % total);
	int kind = 0;
	while (at >= kinds[kind].weight) {
		at -= kinds[kind].weight;
		kind++;
	}
	return (enum step_kind)kind;
}

static void program_add(struct program *program, struct random *random, enum step_kind kind) {
	struct step *step = &program->steps[program->n_steps++];
	step->kind = kind;
	for (size_t i = 0; i < sizeof(step->args) / sizeof(step->args[0]); i++) {
		step->args[i] = (uint32_t)random_next(random);
	}
}

void program_generate(struct program *program, uint64_t seed) {
	*program = (struct program){.seed = seed};
	struct random random = {seed};
	program_add(program, &random, STEP_COMMIT);
	int32_t n_steps = random_between(&random, 8, PROGRAM_MAX_STEPS - 4);
	for (int32_t i = 0; i < n_steps; i++) {
		program_add(program, &random, pick_kind(&random));
	}
	program_add(program, &random, STEP_CHECK);
	if (random_next(&random) % 3 == 0) {
		program_add(program, &random, STEP_ERROR);
	}
}

void program_print(const struct program *program) {
	printf("# program %llu, %zu steps\n", (unsigned long long)program->seed, program->n_steps);
	for (size_t i = 0; i < program->n_steps; i++) {
		const struct step *step = &program->steps[i];
		printf("#   %-16s", kinds[step->kind].name);
		for (size_t j = 0; j < sizeof(step->args) / sizeof(step->args[0]); j++) {
			printf(" %08x", step->args[j]);
		}
		putchar('\n');
	}
}
