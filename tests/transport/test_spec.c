/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <unistd.h>

#include "tests/transport/ends.h"

static void expect_good(const char *spec) {
	char error[512] = "";
	if (!transport_spec_check(spec, error, sizeof(error))) {
		test_fail(__FILE__, __LINE__, "%s: %s", spec, error);
	}
}

static void expect_bad(const char *spec, const char *part) {
	char error[512] = "";
	if (transport_spec_check(spec, error, sizeof(error)) || strstr(error, part) == NULL) {
		test_fail(__FILE__, __LINE__, "\"%s\": \"%s\" does not say \"%s\"",
				spec, error, part);
	}
}

TEST(every_form_is_accepted) {
	expect_good("local:/run/isthmus/a");
	expect_good("local:/run/isthmus/a,pixels=arena");
	expect_good("local:/run/isthmus/a,pixels=handover");
	expect_good("kvm:mem=ivshmem:0000:00:05.0,bell=serial:/dev/virtio-ports/isthmus.a");
	expect_good("kvm:mem=file:/run/memory,bell=unix:/run/bell");
	expect_good("kvm:mem=file:/run/memory,bell=vsock:3:1024");
	expect_good("kvm:mem=file:/run/memory,bell=vsock:any:1024");
	expect_good("kvm:mem=ivshmem:0000:00:06.0,bell=doorbell:0000:00:05.0");
	expect_good("kvm:mem=vfio:0000:00:05.0,bell=doorbell:0000:00:05.0");
	expect_good("kvm:mem=dax:/dev/dax0.0,bell=serial:/dev/vport0p1");
	expect_good("kvm:mem=ivshmem:0000:00:10.0+ivshmem:0000:00:11.0,bell=serial:/dev/vport0p1");
	expect_good("kvm:mem=file:1+file:2+file:3+file:4+file:5+file:6+file:7+file:8,bell=unix:/b");
	expect_good("stream:unix:/run/a");
	expect_good("stream:vsock:3:1024");
	expect_good("stream:vsock:any:1024");
	expect_good("stream:fd:3");
#ifdef ISTHMUS_XEN
	expect_good("xen:0:isthmus");
	expect_good("xen:sys-gui:isthmus_1,grants=writable");
#endif
}

TEST(errors_name_the_part_at_fault) {
	expect_bad("", "no ':'");
	expect_bad("local", "no ':'");
	expect_bad("loca:/x", "unknown kind \"loca\"");
	expect_bad("local:", "folder is missing");
	expect_bad("local:,pixels=arena", "folder is missing");
	expect_bad("local:/x,pixels=many", "\"pixels=many\"");
	expect_bad("local:/x,", "\"\" is not");
	expect_bad("kvm:", "mem=...,bell=...");
	expect_bad("kvm:mem=file:/m", "mem=...,bell=...");
	expect_bad("kvm:bell=unix:/b,mem=file:/m", "mem=...,bell=...");
	expect_bad("kvm:mem=ram:/m,bell=unix:/b", "mem \"ram:/m\"");
	expect_bad("kvm:mem=,bell=unix:/b", "mem \"\"");
	expect_bad("kvm:mem=file:,bell=unix:/b", "path is missing");
	expect_bad("kvm:mem=dax:,bell=unix:/b", "path is missing");
	expect_bad("kvm:mem=file:/a+,bell=unix:/b", "mem \"\" is not");
	expect_bad("kvm:mem=+file:/a,bell=unix:/b", "mem \"\" is not");
	expect_bad("kvm:mem=file:1+file:2+file:3+file:4+file:5+file:6+file:7+file:8+file:9,"
		   "bell=unix:/b",
		"more than 8");
	expect_bad("kvm:mem=ivshmem:,bell=unix:/b", "PCI address");
	expect_bad("kvm:mem=ivshmem:00:05.0,bell=unix:/b", "\"00:05.0\"");
	expect_bad("kvm:mem=ivshmem:0000:00:05.0/../..,bell=unix:/b", "PCI address");
	expect_bad("kvm:mem=file:/m,bell=", "bell \"\"");
	expect_bad("kvm:mem=file:/m,bell=unix:", "\"unix:\": what follows");
	expect_bad("kvm:mem=file:/m,bell=vsock:", "\"vsock:\": what follows");
	expect_bad("kvm:mem=file:/m,bell=doorbell:5", "\"5\" is not a PCI address");
	expect_bad("kvm:mem=ivshmem:0000:00:05.0,bell=doorbell:0000:00:05.0",
		"write mem=vfio:0000:00:05.0");
	expect_bad("kvm:mem=vfio:0000:00:05.0,bell=unix:/b", "bell doorbell:0000:00:05.0 only");
	expect_bad("kvm:mem=vfio:0000:00:05.0,bell=doorbell:0000:00:06.0", "05.0 only");
	expect_bad("kvm:mem=file:/m,bell=vsock:x:1", "CID \"x\"");
	expect_bad("kvm:mem=file:/m,bell=vsock:3:", "port \"\"");
	expect_bad("kvm:mem=file:/m,bell=pipe:/b", "bell \"pipe:/b\"");
	expect_bad("stream:", "what follows stream:");
#ifdef ISTHMUS_XEN
	expect_bad("xen:", "xen:DOMAIN:NAME");
	expect_bad("xen:0", "xen:DOMAIN:NAME");
	expect_bad("xen::a", "domain is missing");
	expect_bad("xen:0:", "name is missing");
	expect_bad("xen:0:a/b", "name has other");
	expect_bad("xen:../1:a", "domain has other");
	expect_bad("xen:0:a,grants=w", "grants=w\": the only option");
	expect_bad("xen:0:0123456789012345678901234567890123456789012345678901234567890123",
		"too long");
#endif
	expect_bad("stream:tcp:1", "what follows stream:");
	expect_bad("stream:unix:", "path is missing");
	expect_bad("stream:vsock:", "CID is missing");
	expect_bad("stream:vsock:1024", "CID is missing");
	expect_bad("kvm:mem=file:/m,bell=vsock:1024", "CID is missing");
	expect_bad("stream:vsock:any:", "port \"\"");
	expect_bad("stream:vsock:anything:1", "CID \"anything\"");
	expect_bad("stream:vsock:x:1", "CID \"x\"");
	expect_bad("stream:vsock::1", "CID \"\"");
	expect_bad("stream:vsock:3:", "port \"\"");
	expect_bad("stream:vsock:4294967295:1", "CID \"4294967295\"");
	expect_bad("stream:vsock:3:4294967295", "port \"4294967295\"");
	expect_bad("stream:vsock:3:99999999999999999999999", "port");
	expect_bad("stream:vsock:3:1:2", "port \"1:2\"");
	expect_bad("stream:fd:", "descriptor");
	expect_bad("stream:fd:-1", "\"-1\"");
}

TEST(paths_fit_into_a_socket_address_or_are_refused) {
	char spec[256] = "stream:unix:";
	size_t prefix = strlen(spec);
	memset(spec + prefix, 'x', 103);
	expect_good(spec);
	spec[prefix + 103] = 'x';
	expect_bad(spec, "too long");
	strncpy(spec, "local:", sizeof(spec));
	memset(spec + 6, 'x', 97);
	expect_good(spec);
	spec[6 + 97] = 'x';
	expect_bad(spec, "too long");
}

TEST(both_ends_derive_the_same_capabilities) {
	struct end end;
	char spec[128];
	snprintf(spec, sizeof(spec), "local:%s", test_dir());
	unsigned handover = TRANSPORT_PAGES | TRANSPORT_HANDOVER | TRANSPORT_SAME_CLOCK;
	for (enum transport_role role = TRANSPORT_GUIVM; role <= TRANSPORT_APPVM; role++) {
		end_open_spec(&end, spec, role, NULL);
		EXPECT_INT(transport_caps(end.transport), handover);
		EXPECT_STR(transport_spec(end.transport), spec);
		end_close(&end);
	}
	snprintf(spec, sizeof(spec), "local:%s,pixels=arena", test_dir());
	end_open_spec(&end, spec, TRANSPORT_APPVM, NULL);
	EXPECT_INT(transport_caps(end.transport), TRANSPORT_PAGES | TRANSPORT_SAME_CLOCK);
	end_close(&end);
	snprintf(spec, sizeof(spec), "stream:unix:%s/x", test_dir());
	end_open_spec(&end, spec, TRANSPORT_APPVM, NULL);
	EXPECT_INT(transport_caps(end.transport), 0);
	end_close(&end);
}

static void expect_open_error(const char *spec, enum transport_role role, const char *part) {
	struct wl_event_loop *loop = wl_event_loop_create();
	char error[512] = "";
	EXPECT(transport_open(loop, spec, role, error, sizeof(error)) == NULL);
	if (strstr(error, part) == NULL) {
		test_fail(__FILE__, __LINE__, "\"%s\": \"%s\" does not say \"%s\"",
				spec, error, part);
	}
	wl_event_loop_destroy(loop);
}

TEST(a_missing_parent_folder_is_named) {
	char spec[128];
	snprintf(spec, sizeof(spec), "local:%s/a/b", test_dir());
	expect_open_error(spec, TRANSPORT_GUIVM, "/a/b: No such file");
}

TEST(a_descriptor_that_is_no_connected_socket_is_refused) {
	int pair[2];
	EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	char spec[32];
	snprintf(spec, sizeof(spec), "stream:fd:%d", pair[0]);
	expect_open_error(spec, TRANSPORT_APPVM, "not a connected stream socket");
	close(pair[0]);
	close(pair[1]);
	expect_open_error("stream:fd:1000", TRANSPORT_APPVM,
			"descriptor 1000: Bad file descriptor");
}

TEST(connecting_over_vsock_needs_a_cid) {
	expect_open_error("stream:vsock:any:1024", TRANSPORT_APPVM, "CID to connect to is missing");
}
