#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for a test that cannot run here. Arguments: why."""
import sys

print('# skipped:', *sys.argv[1:])
print('0 passed, 0 failed, 1 skipped')
sys.exit(77)
