/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <unistd.h>

#include "appvm-proxy/copy.h"
#include "appvm-proxy/shm.h"
#include "common/fd.h"
#include "tests/harness/test.h"

#define PAGE 4096

TEST(rows_are_copied_with_their_strides)
{
	uint8_t src[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	uint8_t dst[10] = {0};
	EXPECT(copy_rows(dst, 5, src, 6, 2, 2));
	uint8_t expected[10] = {1, 2, 0, 0, 0, 7, 8};
	EXPECT(memcmp(dst, expected, sizeof(dst)) == 0);
}

TEST(a_truncated_mapping_fails_the_copy_again_and_again)
{
	EXPECT(copy_init());
	int fd = fd_memory("test", 2 * PAGE);
	uint8_t *map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(map != MAP_FAILED);
	static uint8_t dst[2 * PAGE];
	EXPECT(copy_rows(dst, PAGE, map, PAGE, PAGE, 2));
	EXPECT(ftruncate(fd, PAGE) == 0);
	EXPECT(!copy_rows(dst, PAGE, map, PAGE, PAGE, 2));
	EXPECT(!copy_rows(dst, PAGE, map, PAGE, PAGE, 2));
	EXPECT(copy_rows(dst, PAGE, map, PAGE, PAGE, 1));
	munmap(map, 2 * PAGE);
	close(fd);
}

static struct shm_buffer *make_buffer(
		size_t pool_bytes, uint64_t offset, uint32_t width, uint32_t height) {
	struct shm_pool *pool = calloc(1, sizeof(*pool));
	struct shm_buffer *buffer = calloc(1, sizeof(*buffer));
	*pool = (struct shm_pool){.refs = 1,
			.fd = fd_memory("test", pool_bytes),
			.size = (int32_t)pool_bytes};
	*buffer = (struct shm_buffer){
			.refs = 1,
			.pool = pool,
			.offset = offset,
			.width = width,
			.height = height,
			.stride = width * 4,
			.bytes_per_pixel = 4,
	};
	return buffer;
}

TEST(a_buffer_is_read_whole_and_in_parts_from_its_offset)
{
	struct shm_buffer *buffer = make_buffer(4 * PAGE, 100, 16, 8);
	uint32_t pixels[16 * 8];
	for (uint32_t i = 0; i < 16 * 8; i++) {
		pixels[i] = i;
	}
	EXPECT_INT(pwrite(buffer->pool->fd, pixels, sizeof(pixels), 100), sizeof(pixels));
	uint32_t whole[16 * 8], part[2 * 3];
	EXPECT(shm_buffer_read(buffer, &(struct shm_rect){0, 0, 16, 8}, (uint8_t *)whole, 64));
	EXPECT(buffer->map == NULL); // read, not mapped
	EXPECT(memcmp(whole, pixels, sizeof(pixels)) == 0);
	EXPECT(shm_buffer_read(buffer, &(struct shm_rect){5, 2, 2, 3}, (uint8_t *)part, 8));
	uint32_t expected[] = {37, 38, 53, 54, 69, 70};
	EXPECT(memcmp(part, expected, sizeof(part)) == 0);
	shm_buffer_unref(buffer);
}

TEST(a_buffer_beyond_the_end_of_its_file_cannot_be_read)
{
	EXPECT(copy_init());
	static uint32_t pixels[64 * 64];
	struct shm_buffer *buffer = make_buffer(2 * PAGE, 0, 64, 64);
	EXPECT(!shm_buffer_read(buffer, &(struct shm_rect){0, 0, 64, 64}, (uint8_t *)pixels, 256));
	EXPECT(shm_buffer_read(buffer, &(struct shm_rect){0, 0, 64, 32}, (uint8_t *)pixels, 256));
	EXPECT(!shm_buffer_read(buffer, &(struct shm_rect){0, 32, 64, 32}, (uint8_t *)pixels, 256));
	shm_buffer_unref(buffer);
}

TEST(only_files_in_memory_are_taken_as_pools)
{
	int memory = fd_memory("test", PAGE);
	int pipes[2];
	EXPECT(pipe(pipes) == 0);
	EXPECT(shm_fd_is_memory(memory));
	EXPECT(!shm_fd_is_memory(pipes[0]));
	close(memory);
	close(pipes[0]);
	close(pipes[1]);
}
