/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-test-pixels: random client programs, run at the same time on the compositor itself
 * ($WAYLAND_DISPLAY) and over every way of the bridge. What is composed must be equal, byte by
 * byte, and so must be protocol errors, and nothing may change when all of it is drawn anew. A
 * program that shows a difference is made smaller and printed.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-client.h>

#include "control/client.h"
#include "tests/pixels/curtain.h"
#include "tests/pixels/program.h"
#include "tests/pixels/screen.h"
#include "tests/pixels/world.h"

#define MAX_WAYS 6
#define PROGRAM_LIMIT_S 30 // a hang is a failure
#define SHRINK_LIMIT_S 5

struct way {
	const char *name, *display; // NULL: the compositor's own
};

struct options {
	struct way ways[MAX_WAYS];
	int n_ways;
	uint64_t first, count;
	bool verbose, no_shrink;
};

struct run {
	const struct options *options;
	struct screen screen;
	struct world worlds[MAX_WAYS];
	char app_ids[MAX_WAYS][32];
	int32_t x[MAX_WAYS], y[MAX_WAYS];
	size_t n_checks;
};

static void run_init(
		struct run *run, const struct options *options, const struct program *program) {
	*run = (struct run){.options = options};
	screen_connect(&run->screen);
	while (!wl_list_empty(&run->screen.control->windows)) {
		wl_display_dispatch(run->screen.display); // of the program before
	}
	for (int i = 0; i < options->n_ways; i++) {
		const struct way *way = &options->ways[i];
		snprintf(run->app_ids[i], sizeof(run->app_ids[i]), "pixels-%s", way->name);
		if (!world_connect(&run->worlds[i], way->display, run->app_ids[i],
				    program->seed % 5 == 0)) {
			fprintf(stderr, "%s: cannot connect\n", way->name);
			exit(2);
		}
	}
}

static void run_finish(struct run *run) {
	for (int i = 0; i < run->options->n_ways; i++) {
		world_disconnect(&run->worlds[i]);
	}
	screen_disconnect(&run->screen);
}

/* For the message when it hangs. */
static struct {
	size_t step;
	int way;
	const char *doing;
	bool quiet;
} progress;

static void handle_alarm(int number) {
	char text[160];
	if (progress.quiet) {
		_exit(1);
	}
	int size = snprintf(text, sizeof(text), "# hangs at step %zu, way %d: %s\n", progress.step,
			progress.way, progress.doing);
	if (write(STDOUT_FILENO, text, (size_t)size) == size) {
		_exit(1);
	}
	_exit(3);
}

static const char *run_compare_formats(const struct run *run, int way) {
	const struct world *native = &run->worlds[0], *world = &run->worlds[way];
	return native->n_formats == world->n_formats &&
			memcmp(native->formats, world->formats,
					native->n_formats * sizeof(native->formats[0])) == 0
			? NULL
			: "another set of wl_shm formats";
}

static const char *run_compare_pixels(struct run *run, int way) {
	static char text[160];
	const struct capture *capture = &run->screen.capture;
	size_t stride = capture->stride_bytes, n_different = 0;
	const uint8_t *pixels = capture->pixels;
	int first_x = 0, first_y = 0;
	for (int y = 0; y < WORLD_HEIGHT; y++) {
		const uint8_t *a = pixels + (size_t)(run->y[0] + y) * stride +
				(size_t)run->x[0] * 4;
		const uint8_t *b = pixels + (size_t)(run->y[way] + y) * stride +
				(size_t)run->x[way] * 4;
		for (int x = 0; x < WORLD_WIDTH; x++) {
			if (memcmp(a + x * 4, b + x * 4, 3) == 0) { // the fourth byte is any
				continue;
			}
			if (n_different++ == 0) {
				first_x = x;
				first_y = y;
			}
		}
	}
	snprintf(text, sizeof(text), "%zu pixels differ, the first at %d,%d", n_different, first_x,
			first_y);
	return n_different > 0 ? text : NULL;
}

/* Both sides of every window must be inside, or what is compared is not what it seems. */
static void run_check_places(const struct run *run) {
	for (int i = 0; i < run->options->n_ways; i++) {
		for (int j = 0; j < i; j++) {
			if (abs(run->x[i] - run->x[j]) < WORLD_WIDTH &&
					abs(run->y[i] - run->y[j]) < WORLD_HEIGHT) {
				fprintf(stderr, "windows overlap\n");
				exit(2);
			}
		}
	}
}

/* For people: the whole screen, as a portable pixmap. */
static void run_keep_picture(const struct run *run, const char *path) {
	const struct capture *capture = &run->screen.capture;
	FILE *file = fopen(path, "wb");
	if (file == NULL) {
		return;
	}
	fprintf(file, "P6 %u %u 255\n", capture->width, capture->height);
	for (size_t y = 0; y < capture->height; y++) {
		const uint8_t *row = (const uint8_t *)capture->pixels + y * capture->stride_bytes;
		for (size_t x = 0; x < capture->width; x++) {
			const uint8_t rgb[] = {row[x * 4 + 2], row[x * 4 + 1], row[x * 4]};
			fwrite(rgb, 1, sizeof(rgb), file);
		}
	}
	fclose(file);
}

static void run_look(struct run *run) {
	for (int i = 0; i < run->options->n_ways; i++) {
		progress.way = i;
		progress.doing = run->worlds[0].mapped ? "its window to come" : "its window to go";
		screen_find_window(&run->screen, run->app_ids[i], run->worlds[0].mapped,
				&run->x[i], &run->y[i]);
	}
	progress.doing = "the screenshot";
	screen_take(&run->screen);
	if (run->worlds[0].mapped) {
		run_check_places(run);
	}
}

/* Nothing may change on the screen when all of it is drawn anew: all damage was seen. */
static const char *run_compare_redrawn(struct run *run) {
	static char text[160];
	const struct capture *capture = &run->screen.capture;
	size_t n_pixels = (size_t)capture->width * capture->height;
	uint8_t *before = malloc(n_pixels * 4);
	if (before == NULL) {
		perror("picture");
		exit(2);
	}
	memcpy(before, capture->pixels, n_pixels * 4);
	progress.doing = "the curtain";
	curtain_draw(&run->screen);
	screen_take(&run->screen);
	const uint8_t *after = capture->pixels;
	size_t n_different = 0, first = 0;
	for (size_t i = n_pixels; i-- > 0;) {
		if (memcmp(before + i * 4, after + i * 4, 3) != 0) {
			n_different++;
			first = i;
		}
	}
	free(before);
	snprintf(text, sizeof(text), "%zu pixels change when drawn anew, the first at %zu,%zu",
			n_different, first % capture->width, first / capture->width);
	return n_different > 0 ? text : NULL;
}

static const char *run_compare(struct run *run, int *way) {
	progress.doing = "a round trip";
	for (*way = 0; *way < run->options->n_ways; ++*way) {
		progress.way = *way;
		world_roundtrip(&run->worlds[*way]);
	}
	const struct world *native = &run->worlds[0];
	for (*way = 1; *way < run->options->n_ways; ++*way) {
		const struct world *world = &run->worlds[*way];
		bool alike = native->reset ? world->failed && !world->reset
					   : strcmp(native->error, world->error) == 0;
		if (!alike) {
			static char text[320];
			snprintf(text, sizeof(text), "ends with \"%s\" instead of \"%s\"",
					world->error, native->error);
			return text;
		}
	}
	if (native->failed) {
		return NULL;
	}
	run_look(run);
	run->n_checks++;
	for (*way = 0; *way < run->options->n_ways; ++*way) {
		world_roundtrip(&run->worlds[*way]);
	}
	for (*way = 1; *way < run->options->n_ways; ++*way) {
		const char *reason = run_compare_formats(run, *way);
		if (reason == NULL && native->mapped) {
			reason = run_compare_pixels(run, *way);
		}
		if (reason != NULL) {
			if (getenv("ISTHMUS_KEEP_PICTURE") != NULL) {
				run_keep_picture(run, getenv("ISTHMUS_KEEP_PICTURE"));
			}
			return reason;
		}
	}
	*way = 0;
	return run_compare_redrawn(run);
}

/* Some programs are looked at after each step, as a frame may be drawn there. NULL: all agree. */
static const char *run_program(struct run *run, const struct program *program, int *way) {
	for (size_t i = 0; i < program->n_steps; i++) {
		for (*way = 0; *way < run->options->n_ways; ++*way) {
			progress.step = i;
			progress.way = *way;
			progress.doing = "a step";
			world_step(&run->worlds[*way], &program->steps[i]);
		}
		if (program->steps[i].kind != STEP_CHECK && program->seed % 4 != 0) {
			continue;
		}
		const char *reason = run_compare(run, way);
		if (reason != NULL || run->worlds[0].failed) {
			return reason;
		}
	}
	return run_compare(run, way);
}

/* Runs in a process of its own, since it may hang. */
static bool program_passes(const struct options *options, const struct program *program,
		unsigned limit_s, bool quiet) {
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGALRM, handle_alarm);
		alarm(limit_s);
		static struct run run;
		progress.doing = "connecting";
		progress.quiet = quiet;
		run_init(&run, options, program);
		int way;
		const char *reason = run_program(&run, program, &way);
		if (reason != NULL && !quiet) {
			printf("# program %llu: %s: %s (check %zu)\n",
					(unsigned long long)program->seed,
					options->ways[way].name, reason, run.n_checks);
		} else if (options->verbose && !quiet) {
			printf("# program %llu: %zu checks, %s\n",
					(unsigned long long)program->seed, run.n_checks,
					run.worlds[0].error);
		}
		run_finish(&run);
		fflush(stdout);
		_exit(reason != NULL);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && !quiet) {
		printf("# program %llu: signal %d\n",
				(unsigned long long)program->seed, WTERMSIG(status));
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) > 1) {
		exit(2);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void program_remove(struct program *program, size_t begin, size_t n_steps) {
	memmove(&program->steps[begin], &program->steps[begin + n_steps],
			(program->n_steps - begin - n_steps) * sizeof(program->steps[0]));
	program->n_steps -= n_steps;
}

static void program_shrink(const struct options *options, struct program *program) {
	for (size_t piece = program->n_steps / 2; piece > 0; piece /= 2) {
		for (size_t i = program->n_steps; i >= piece; i--) {
			struct program smaller = *program;
			program_remove(&smaller, i - piece, piece);
			if (!program_passes(options, &smaller, SHRINK_LIMIT_S, true)) {
				*program = smaller;
				i = i > program->n_steps + 1 ? program->n_steps + 1 : i;
			}
		}
	}
}

static int usage(void) {
	fprintf(stderr, "usage: isthmus-test-pixels [--verbose] [--no-shrink] "
			"[--way NAME=DISPLAY]... FIRST COUNT\n");
	return 2;
}

static bool parse_options(struct options *options, int argc, char **argv) {
	static const struct option long_options[] = {
			{"way", required_argument, NULL, 'w'},
			{"verbose", no_argument, NULL, 'v'},
			{"no-shrink", no_argument, NULL, 'n'},
			{0},
	};
	options->ways[options->n_ways++] = (struct way){.name = "native"};
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		char *equals = option == 'w' ? strchr(optarg, '=') : NULL;
		if (option == 'v' || option == 'n') {
			*(option == 'v' ? &options->verbose : &options->no_shrink) = true;
			continue;
		}
		if (equals == NULL || options->n_ways == MAX_WAYS) {
			return false;
		}
		*equals = '\0';
		options->ways[options->n_ways++] = (struct way){optarg, equals + 1};
	}
	if (argc - optind != 2) {
		return false;
	}
	options->first = strtoull(argv[optind], NULL, 10);
	options->count = strtoull(argv[optind + 1], NULL, 10);
	return options->count > 0;
}

/* Errors are part of the programs. */
static void ignore_log(const char *format, va_list args) {
}

int main(int argc, char **argv) {
	struct options options = {0};
	wl_log_set_handler_client(ignore_log);
	if (!parse_options(&options, argc, argv)) {
		return usage();
	}
	uint64_t n_failed = 0;
	for (uint64_t i = 0; i < options.count; i++) {
		struct program program;
		program_generate(&program, options.first + i);
		if (!program_passes(&options, &program, PROGRAM_LIMIT_S, false)) {
			n_failed++;
			if (options.no_shrink) {
				continue;
			}
			program_shrink(&options, &program);
			program_print(&program);
			program_passes(&options, &program, SHRINK_LIMIT_S, false);
		}
	}
	printf("%llu programs over %d ways, %llu failed\n", (unsigned long long)options.count,
			options.n_ways, (unsigned long long)n_failed);
	return n_failed > 0;
}
