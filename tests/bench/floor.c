/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isthmus-bench-floor: what the machine itself takes, measured beside the rest.
 *
 *     memcpy WxH       copies of that frame, warm: CPU time in microseconds
 *     pipeline WxH     the same in the second of three processes, of which the first draws and the
 *                      third reads, as application, proxy and compositor do, over two slots
 *     echo HOPS        8 bytes through HOPS processes to one behind them and back, over sockets
 *     echo /PORT       through a process, over a port to another machine, and there through "far"
 *     far /PORT        the other end of that: a process at the port and one behind it
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COPIES 300
#define COPIED_BYTES ((size_t)2 << 30) /* in all, at most */
#define ECHOES 8000
#define FAR_ECHOES 1000
#define MAX_HOPS 8

static double now_us(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* What the copy costs, not how long others kept it waiting. */
static double cpu_us(void) {
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_figures(const char *what, double *samples, size_t count) {
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += samples[i];
	}
	qsort(samples, count, sizeof(double), compare);
	printf("{\"load\": \"%s\", \"p50_us\": %.1f, \"p95_us\": %.1f, \"p99_us\": %.1f, "
	       "\"mean_us\": %.1f}\n",
			what, samples[count / 2], samples[count * 95 / 100],
			samples[count * 99 / 100], sum / (double)count);
}

/* 0: it is no size. */
static size_t parse_size(const char *text) {
	int width, height;
	if (sscanf(text, "%dx%d", &width, &height) != 2 || width <= 0 || height <= 0) {
		return 0;
	}
	return (size_t)width * 4 * (size_t)height;
}

static size_t copies_of(size_t size) {
	return COPIED_BYTES / size < COPIES ? COPIED_BYTES / size + 1 : COPIES;
}

static uint8_t *take_frames(size_t bytes) {
	uint8_t *frames = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return frames != MAP_FAILED ? frames : NULL;
}

static int measure_memcpy(const char *size_text) {
	size_t size = parse_size(size_text);
	if (size == 0) {
		return 2;
	}
	uint8_t *from = take_frames(size), *to = take_frames(size);
	if (from == NULL || to == NULL) {
		return 1;
	}
	static double samples[COPIES];
	size_t copies = copies_of(size);
	for (size_t i = 0; i < copies; i++) {
		memset(from, (int)i, size); // as an application draws before it commits
		double start = cpu_us();
		memcpy(to, from, size);
		samples[i] = cpu_us() - start;
	}
	print_figures("memcpy", samples, copies);
	return 0;
}

static void read_word(int epoll_fd, int fd, uint64_t *word) {
	struct epoll_event event;
	while (read(fd, word, sizeof(*word)) != (ssize_t)sizeof(*word)) {
		if (errno != EAGAIN || epoll_wait(epoll_fd, &event, 1, -1) < 0) {
			_exit(0);
		}
	}
}

static void wait_turn(int fd) {
	char turn;
	if (read(fd, &turn, sizeof(turn)) != sizeof(turn)) {
		_exit(0); // whoever was before it has ended
	}
}

static void pass_turn(int fd) {
	if (write(fd, "", 1) != 1) {
		_exit(0);
	}
}

struct pipeline {
	size_t size, copies;
	uint8_t *drawn, *slots, *shown; // one frame, two, two
	int draw[2], copy[2], show[2]; // pipes: whose turn it is
};

_Noreturn static void pipeline_draw(struct pipeline *pipeline) {
	close(pipeline->draw[1]);
	for (int i = 0;; i++) {
		wait_turn(pipeline->draw[0]);
		memset(pipeline->drawn, i, pipeline->size);
		pass_turn(pipeline->copy[1]);
	}
}

_Noreturn static void pipeline_show(struct pipeline *pipeline) {
	close(pipeline->show[1]);
	for (size_t i = 0;; i++) {
		wait_turn(pipeline->show[0]);
		size_t at = i % 2 * pipeline->size;
		memcpy(pipeline->shown + at, pipeline->slots + at, pipeline->size);
		pass_turn(pipeline->draw[1]);
	}
}

static int measure_pipeline(const char *size_text) {
	struct pipeline pipeline = {.size = parse_size(size_text)};
	if (pipeline.size == 0) {
		return 2;
	}
	pipeline.copies = copies_of(pipeline.size);
	pipeline.drawn = take_frames(5 * pipeline.size);
	if (pipeline.drawn == NULL || pipe(pipeline.draw) < 0 || pipe(pipeline.copy) < 0 ||
			pipe(pipeline.show) < 0) {
		return 1;
	}
	pipeline.slots = pipeline.drawn + pipeline.size;
	pipeline.shown = pipeline.slots + 2 * pipeline.size;
	signal(SIGPIPE, SIG_IGN);
	pid_t drawer = fork();
	if (drawer == 0) {
		pipeline_draw(&pipeline);
	}
	pid_t shower = fork();
	if (shower == 0) {
		pipeline_show(&pipeline);
	}
	static double samples[COPIES];
	pass_turn(pipeline.draw[1]);
	for (size_t i = 0; i < pipeline.copies; i++) {
		wait_turn(pipeline.copy[0]);
		double start = cpu_us();
		memcpy(pipeline.slots + i % 2 * pipeline.size, pipeline.drawn, pipeline.size);
		samples[i] = cpu_us() - start;
		pass_turn(pipeline.show[1]);
	}
	kill(drawer, SIGKILL);
	kill(shower, SIGKILL);
	print_figures("pipeline", samples, pipeline.copies);
	return 0;
}

/* Passes words on from near to far and back, as a proxy does; the last one has no far side. */
_Noreturn static void run_hop(int near, int far) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, near,
			&(struct epoll_event){.events = EPOLLIN, .data.fd = near});
	if (far >= 0) {
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, far,
				&(struct epoll_event){.events = EPOLLIN, .data.fd = far});
	}
	for (;;) {
		struct epoll_event event;
		if (epoll_wait(epoll_fd, &event, 1, -1) < 1) {
			continue;
		}
		uint64_t word;
		int from = event.data.fd;
		int to = far < 0 ? near : from == near ? far : near;
		if (read(from, &word, sizeof(word)) <= 0 || write(to, &word, sizeof(word)) <= 0) {
			_exit(0);
		}
	}
}

static int echo(const char *what, int fd, size_t count) {
	int epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN});
	static double samples[ECHOES];
	for (uint64_t i = 0; i < count; i++) {
		double start = now_us();
		uint64_t word = i;
		if (write(fd, &word, sizeof(word)) != (ssize_t)sizeof(word)) {
			return 1;
		}
		read_word(epoll_fd, fd, &word);
		samples[i] = now_us() - start;
	}
	print_figures(what, samples, count);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	return 0;
}

static int measure_echo(int hops) {
	if (hops < 0 || hops > MAX_HOPS) {
		return 2;
	}
	int chain[MAX_HOPS + 2][2];
	for (int i = 0; i <= hops; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, chain[i]) < 0) {
			return 1;
		}
	}
	for (int i = 0; i <= hops; i++) {
		if (fork() == 0) {
			run_hop(chain[i][1], i < hops ? chain[i + 1][0] : -1);
		}
	}
	return echo("echo", chain[0][0], ECHOES);
}

/* A port and a pair of sockets. */
static bool open_far(const char *path, int *port, int pair[2]) {
	*port = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
	return *port >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0;
}

static int measure_far(const char *path) {
	int port, pair[2];
	if (!open_far(path, &port, pair)) {
		return 1;
	}
	if (fork() == 0) {
		run_hop(pair[1], port);
	}
	return echo("far echo", pair[0], FAR_ECHOES);
}

static int answer_far(const char *path) {
	int port, pair[2];
	if (!open_far(path, &port, pair)) {
		return 1;
	}
	if (fork() == 0) {
		run_hop(pair[1], -1);
	}
	run_hop(port, pair[0]);
}

int main(int argc, char **argv) {
	int status = 2;
	setpgid(0, 0);
	if (argc == 3 && strcmp(argv[1], "memcpy") == 0) {
		status = measure_memcpy(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "pipeline") == 0) {
		status = measure_pipeline(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "far") == 0) {
		status = answer_far(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "echo") == 0 && argv[2][0] == '/') {
		status = measure_far(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "echo") == 0) {
		status = measure_echo((int)strtol(argv[2], NULL, 10));
	}
	if (status == 2) {
		fprintf(stderr, "usage: isthmus-bench-floor memcpy|pipeline WxH | "
				"echo HOPS|PORT | far PORT\n");
	}
	return status;
}
