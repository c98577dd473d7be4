# SPDX-License-Identifier: Apache-2.0
"""What the differential test is made of: random frames and queries, and an independent reader."""
