// SPDX-License-Identifier: LGPL-2.1-or-later

#include "signalling/announced_peers.h"

#include <memory>
#include <string>
#include <utility>

#include "glib/glib_ptr.h"
#include "glib/main_context.h"

namespace webrtcupload {
namespace {

std::shared_ptr<GstElement> shared_element(GstElement* element) {
  return {ref_gst(element).release(), gst_object_unref};
}

}  // namespace

FurtherPeers::Events announced_peers(GMainContext* context, const UploadServer::Events& server,
                                     std::function<void(std::function<void()>)> tell) {
  FurtherPeers::Events events;
  events.may_be_joined = server.may_be_joined;
  events.attach = server.join;
  events.announce =
      [tell, added = server.peer_added,
       shared = std::shared_ptr<GMainContext>(g_main_context_ref(context), g_main_context_unref)](
          const std::string&, GstElement* webrtcbin, const std::function<void()>& ready) {
        tell([added, shared, webrtcbin = shared_element(webrtcbin), ready] {
          added(webrtcbin.get());
          post_to(shared.get(), ready);
        });
      };
  events.detach = [tell = std::move(tell), detach = server.detach,
                   removed = server.peer_removed](GstElement* webrtcbin) {
    detach(webrtcbin);
    tell([removed, webrtcbin = shared_element(webrtcbin)] { removed(webrtcbin.get()); });
  };
  return events;
}

}  // namespace webrtcupload
