// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where a request ends, and which ones have more than one end.

#include "signalling/request_framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace webrtcupload {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMaxBody = 1000;
// Behind each request, and never its own.
const std::string kNext = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post(const std::string& headers, const std::string& body = "") {
  return "POST /upload HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

struct Good {
  const char* name;
  std::string request;
};
void PrintTo(const Good& good, std::ostream* out) { *out << good.name; }

class WholeRequest : public testing::TestWithParam<Good> {};

TEST_P(WholeRequest, EndsWhereItEnds) {
  const std::string& request = GetParam().request;
  RequestFraming at_once(kMaxBody);
  EXPECT_EQ(at_once.feed(request + kNext), request.size());
  EXPECT_TRUE(at_once.ended());
  EXPECT_EQ(at_once.feed(kNext), 0U);
  at_once.finish();
  EXPECT_FALSE(at_once.error());
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    RequestFraming in_two(kMaxBody);
    EXPECT_EQ(in_two.feed(request.substr(0, cut)), cut);
    EXPECT_FALSE(in_two.ended()) << cut;
    EXPECT_FALSE(in_two.error()) << cut;
    EXPECT_EQ(in_two.feed(request.substr(cut) + kNext), request.size() - cut) << cut;
    EXPECT_TRUE(in_two.ended()) << cut;
  }
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    RequestFraming shorter(kMaxBody);
    shorter.feed(request.substr(0, cut));
    shorter.finish();
    ASSERT_TRUE(shorter.error()) << cut;
    EXPECT_EQ(shorter.error()->status, 400U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    , WholeRequest,
    testing::Values(
        Good{"Get", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        Good{"OldGet", "GET /limits HTTP/1.0\r\n\r\n"},
        Good{"EmptyLinesFirst", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"},
        Good{"Length", post("Content-Length: 5\r\n", "hello")},
        Good{"LengthInAnyCase", post("content-LENGTH:5\r\n", "hello")},
        Good{"NoBody", post("Content-Length: 0\r\n")},
        Good{"LargestBody", post("Content-Length: 1000\r\n", std::string(kMaxBody, '\n'))},
        Good{"Chunks", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")},
        Good{"ChunksInAnyCase",
             post("transfer-encoding:\tChunked \r\n", "A\r\n0123456789\r\n0\r\n\r\n")},
        Good{"ChunkExtensions",
             post("Transfer-Encoding: chunked\r\n", "3 ;a=b\r\nabc\r\n00\r\n\r\n")},
        Good{"Trailers", post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: y\r\n\r\n")},
        Good{"ChunksOfTheLargestBody",
             post("Transfer-Encoding: chunked\r\n",
                  "3e8\r\n" + std::string(kMaxBody, '\r') + "\r\n0\r\n\r\n")},
        Good{"BytesAbove127", post("X: \xc3\xa4\r\n")}),
    [](const auto& param) { return std::string(param.param.name); });

struct Bad {
  const char* name;
  std::string request;
  unsigned status;
  const char* says;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class RefusedRequest : public testing::TestWithParam<Bad> {};

TEST_P(RefusedRequest, HasOneClearStatus) {
  const Bad& bad = GetParam();
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bad.request.size()}) {
    RequestFraming framing(kMaxBody);
    for (std::size_t at = 0; at < bad.request.size(); at += piece) {
      framing.feed(bad.request.substr(at, piece));
    }
    ASSERT_TRUE(framing.error());
    EXPECT_EQ(framing.error()->status, bad.status) << framing.error()->message;
    EXPECT_THAT(framing.error()->message, HasSubstr(bad.says));
    EXPECT_FALSE(framing.ended());
    EXPECT_EQ(framing.feed(kNext), 0U);
  }
}

const std::string kChunked = "Transfer-Encoding: chunked\r\n";

INSTANTIATE_TEST_SUITE_P(
    , RefusedRequest,
    testing::Values(
        Bad{"TwoLengths", post("Content-Length: 3\r\nContent-Length: 5\r\n"), 400, "more than one"},
        Bad{"TheSameLengthTwice", post("Content-Length: 3\r\nContent-Length: 3\r\n"), 400,
            "more than one"},
        Bad{"AListOfLengths", post("Content-Length: 3, 3\r\n"), 400, "not a number"},
        Bad{"SignedLength", post("Content-Length: +3\r\n"), 400, "not a number"},
        Bad{"NegativeLength", post("Content-Length: -3\r\n"), 400, "not a number"},
        Bad{"HexLength", post("Content-Length: 0x3\r\n"), 400, "not a number"},
        Bad{"NoLength", post("Content-Length:\r\n"), 400, "not a number"},
        Bad{"LengthAndChunks", post("Content-Length: 3\r\n" + kChunked), 400, "both"},
        Bad{"ChunksAndLength", post(kChunked + "Content-Length: 3\r\n"), 400, "both"},
        Bad{"ChunksTwice", post(kChunked + kChunked), 400, "more than one"},
        Bad{"OtherEncoding", post("Transfer-Encoding: gzip, chunked\r\n"), 501, "chunked"},
        Bad{"NoEncoding", post("Transfer-Encoding: identity\r\n"), 501, "chunked"},
        Bad{"AlmostChunked", post("Transfer-Encoding: xchunked\r\n"), 501, "chunked"},
        Bad{"ChunksOfOldVersion", "POST / HTTP/1.0\r\n" + kChunked + "\r\n", 400, "HTTP/1.0"},
        Bad{"SpaceBeforeColon", post("Content-Length : 3\r\n"), 400, "no name"},
        Bad{"FoldedHeader", post("X: a\r\n b: c\r\n"), 400, "no name"},
        Bad{"NoColon", post("Content-Length\r\n"), 400, "no name"},
        Bad{"NoName", post(": 3\r\n"), 400, "no name"},
        Bad{"OnlyLf", "GET / HTTP/1.1\nHost: x\n\n", 400, "CR and LF"},
        Bad{"LfWithinAHeader", post("X: a\nContent-Length: 3\r\n"), 400, "CR and LF"},
        Bad{"CrWithinAHeader", post("X: a\rContent-Length: 3\r\n"), 400, "control character"},
        Bad{"NulWithinAHeader", post(std::string("X: a\0b\r\n", 8)), 400, "control character"},
        Bad{"TwoHosts", post("Host: y\r\n"), 400, "more than one Host"},
        Bad{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400, "no Host"},
        Bad{"NoVersion", "GET /\r\n\r\n", 400, "does not begin"},
        Bad{"SpaceInTheAddress", "GET / x HTTP/1.1\r\n\r\n", 400, "does not begin"},
        Bad{"AnotherProtocol", "SSH-2.0-client\r\n", 400, "does not begin"},
        Bad{"NewerVersion", "GET / HTTP/2.0\r\n\r\n", 505, "HTTP/1.1"},
        Bad{"LargeHeader", post("X: " + std::string(RequestFraming::kMaxHead, 'a')), 431, "32768"},
        Bad{"LongAddress", "GET /" + std::string(RequestFraming::kMaxHead, 'a'), 431, "32768"},
        Bad{"LargeBody", post("Content-Length: 1001\r\n"), 413, "1000 bytes"},
        Bad{"BodyOfALengthWithoutEnd", post("Content-Length: 99999999999999999999999\r\n"), 413,
            "1000 bytes"},
        Bad{"LargeChunk", post(kChunked, "3e9\r\n"), 413, "1000 bytes"},
        Bad{"LargeChunks", post(kChunked, "3e8\r\n" + std::string(kMaxBody, 'x') + "\r\n1\r\n"),
            413, "1000 bytes"},
        Bad{"ChunkWithoutASize", post(kChunked, "\r\n"), 400, "no size"},
        Bad{"ChunkWithAnotherSize", post(kChunked, "x3\r\n"), 400, "no size"},
        Bad{"LongerChunk", post(kChunked, "3\r\nabcd\r\n"), 400, "longer than it says"},
        Bad{"ChunkLineWithoutCr", post(kChunked, "3\nabc"), 400, "CR and LF"},
        Bad{"LargeTrailers",
            post(kChunked, "0\r\nX: " + std::string(RequestFraming::kMaxHead, 'a')), 431, "32768"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(RequestFraming, KnowsItsOrigins) {
  RequestFraming framing(kMaxBody);
  framing.feed(post("Origin: https://a\r\norigin:https://b\r\n"));
  EXPECT_EQ(framing.origin(), "https://a, https://b");
  EXPECT_FALSE(RequestFraming(kMaxBody).origin());
}

// Who said nothing is not wrong.
TEST(RequestFraming, NothingAtAllIsNoError) {
  RequestFraming framing(kMaxBody);
  framing.finish();
  EXPECT_FALSE(framing.error());
}

}  // namespace
}  // namespace webrtcupload
