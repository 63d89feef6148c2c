/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wlcs/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wayland-client-core.h>

#include "common/fd.h"
#include "common/log.h"
#include "vmset/vmset.h"

#define LISTEN_FDS_START 3
#define PID_DIGITS 10

extern char **environ;

static struct sockaddr_un chain_address(const struct chain *chain) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/wayland", chain->dir);
	return address;
}

static bool chain_write_vmset(const struct chain *chain, const char *path) {
	FILE *file = fopen(path, "we");
	if (file == NULL) {
		return false;
	}
	fprintf(file,
			"{\"version\": 1, \"vms\": {\"wlcs\": {\"label\": \"Wlcs\", "
			"\"color\": \"#2a6fdb\", \"transport\": \"%s\", "
			"\"fullscreen\": \"allow\"}}}\n",
			chain->transport);
	return fclose(file) == 0;
}

static bool chain_listen(struct chain *chain) {
	struct sockaddr_un address = chain_address(chain);
	chain->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return chain->listen_fd >= 0 &&
			bind(chain->listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
			listen(chain->listen_fd, SOMAXCONN) == 0;
}

struct vmset *chain_init(struct chain *chain, enum chain_way way) {
	static const char *const before[] = {
			[CHAIN_HANDOVER] = "local:", [CHAIN_ARENA] = "local:",
			[CHAIN_STREAM] = "stream:unix:"};
	static const char *const after[] = {
			[CHAIN_HANDOVER] = "", [CHAIN_ARENA] = ",pixels=arena",
			[CHAIN_STREAM] = "/stream"};
	*chain = (struct chain){.dir = "/tmp/isthmus-wlcs-XXXXXX", .listen_fd = -1};
	char path[sizeof(chain->dir) + 16];
	if (mkdtemp(chain->dir) == NULL) {
		chain->dir[0] = '\0';
	}
	snprintf(path, sizeof(path), "%s/vmset.json", chain->dir);
	snprintf(chain->transport, sizeof(chain->transport), "%s%s%s", before[way], chain->dir,
			after[way]);
	if (chain->dir[0] == '\0' || !chain_listen(chain) || !chain_write_vmset(chain, path)) {
		log_errno("%s", path);
		return NULL;
	}
	struct vmset_errors errors;
	struct vmset *vmset = vmset_load(path, NULL, &errors);
	vmset_errors_print(&errors, STDERR_FILENO);
	vmset_errors_finish(&errors);
	return vmset;
}

/*
 * Between fork() and exec() of a process with threads: system calls only. listen_pid has room for
 * the digits, which nobody knows before.
 */
static _Noreturn void proxy_exec(
		int listen_fd, const char *path, char *argv[], char *envp[], char *listen_pid) {
	pid_t pid = getpid();
	for (int i = PID_DIGITS - 1; i >= 0; i--) {
		listen_pid[i] = (char)('0' + pid % 10);
		pid /= 10;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listen_fd == LISTEN_FDS_START) {
		fcntl(listen_fd, F_SETFD, 0);
	} else {
		dup2(listen_fd, LISTEN_FDS_START);
	}
	execve(path, argv, envp);
	_exit(127);
}

bool chain_start(struct chain *chain) {
	const char *path = getenv("ISTHMUS_PROXY");
	if (path == NULL) {
		log_error("ISTHMUS_PROXY is not set");
		return false;
	}
	size_t n_environ = 0;
	while (environ[n_environ] != NULL) {
		n_environ++;
	}
	char **envp = calloc(n_environ + 3, sizeof(*envp));
	if (envp == NULL) {
		log_errno("appvm-proxy");
		return false;
	}
	char listen_fds[] = "LISTEN_FDS=1", listen_pid[] = "LISTEN_PID=0000000000";
	memcpy(envp, environ, n_environ * sizeof(*envp));
	envp[n_environ] = listen_fds;
	envp[n_environ + 1] = listen_pid;
	char program[] = "appvm-proxy", vm_option[] = "--vm", vm[] = "wlcs";
	char transport_option[] = "--transport";
	char *argv[] = {program, vm_option, vm, transport_option, chain->transport, NULL};
	chain->proxy = fork();
	if (chain->proxy == 0) {
		proxy_exec(chain->listen_fd, path, argv, envp,
				listen_pid + sizeof("LISTEN_PID=") - 1);
	}
	free(envp);
	if (chain->proxy < 0) {
		log_errno("appvm-proxy");
		chain->proxy = 0;
		return false;
	}
	return true;
}

static void chain_remove_files(const struct chain *chain) {
	static const char *const names[] = {"wayland", "vmset.json", "vchan", "vchan.lock",
			"stream", "stream.lock"};
	char path[sizeof(chain->dir) + 16];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", chain->dir, names[i]);
		unlink(path);
	}
	if (rmdir(chain->dir) < 0) {
		log_errno("%s", chain->dir);
	}
}

void chain_finish(struct chain *chain) {
	if (chain->proxy > 0) {
		int status = 0;
		kill(chain->proxy, SIGTERM);
		if (waitpid(chain->proxy, &status, 0) != chain->proxy || status != 0) {
			log_error("appvm-proxy ended with status %#x", (unsigned)status);
		}
	}
	if (chain->probe != NULL) {
		wl_display_disconnect(chain->probe);
	}
	fd_close(&chain->listen_fd);
	if (chain->dir[0] != '\0') {
		chain_remove_files(chain);
	}
	*chain = (struct chain){.listen_fd = -1};
}

int chain_connect(const struct chain *chain) {
	struct sockaddr_un address = chain_address(chain);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		log_errno("%s", address.sun_path);
		fd_close(&fd);
	}
	return fd;
}

void chain_settle(struct chain *chain) {
	if (chain->probe == NULL) {
		int fd = chain_connect(chain);
		chain->probe = fd >= 0 ? wl_display_connect_to_fd(fd) : NULL;
	}
	/*
	 * Twice: in one turn of its loop the relay may read the probe's socket before another, and
	 * the same turn carries both. What comes back from the next turn comes after them.
	 */
	for (int i = 0; i < 2 && chain->probe != NULL; i++) {
		wl_display_roundtrip(chain->probe);
	}
}
