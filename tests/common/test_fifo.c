/* SPDX-License-Identifier: Apache-2.0 */
#include "common/fifo.h"
#include "tests/harness/test.h"

TEST(bytes_come_out_in_order) {
	struct fifo fifo;
	fifo_init(&fifo, 100000);
	uint8_t next_in = 0, next_out = 0;
	for (int round = 0; round < 2000; round++) {
		uint8_t bytes[97];
		size_t n = test_random_below(sizeof(bytes));
		for (size_t i = 0; i < n; i++) {
			bytes[i] = next_in++;
		}
		EXPECT(fifo_push(&fifo, bytes, n));
		size_t take = test_random_below((uint32_t)fifo_size(&fifo) + 1);
		for (size_t i = 0; i < take; i++) {
			EXPECT_INT(fifo_peek(&fifo)[i], next_out++);
		}
		fifo_consume(&fifo, take);
	}
	fifo_finish(&fifo);
}

TEST(holds_exactly_its_limit) {
	struct fifo fifo;
	fifo_init(&fifo, 10000);
	uint8_t bytes[10001] = {0};
	EXPECT(!fifo_push(&fifo, bytes, 10001));
	EXPECT(fifo_push(&fifo, bytes, 10000));
	EXPECT(!fifo_push(&fifo, bytes, 1));
	fifo_consume(&fifo, 1);
	EXPECT(fifo_push(&fifo, bytes, 1));
	EXPECT_INT(fifo_size(&fifo), 10000);
	fifo_finish(&fifo);
}

TEST(an_empty_large_block_is_given_back) {
	struct fifo fifo;
	fifo_init(&fifo, 1 << 20);
	EXPECT(fifo_reserve(&fifo, 1 << 20) != NULL);
	fifo_trim(&fifo);
	EXPECT(fifo.data == NULL);
	EXPECT(fifo_push(&fifo, "a", 1));
	fifo_trim(&fifo);
	EXPECT_INT(fifo_size(&fifo), 1);
	fifo_finish(&fifo);
}
