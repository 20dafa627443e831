// SPDX-License-Identifier: LGPL-2.1-or-later

#include "support/gst_test.h"

int main(int argc, char** argv) { return webrtcupload::test::run_gst_tests(argc, argv); }
