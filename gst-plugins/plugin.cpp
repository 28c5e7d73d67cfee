// The GStreamer plugin `saccade`: six elements around one engine.
#include <gst/gst.h>

#include "common/metas.h"

GST_ELEMENT_REGISTER_DECLARE(framesampler);
GST_ELEMENT_REGISTER_DECLARE(masgate);
GST_ELEMENT_REGISTER_DECLARE(masoverlay);
GST_ELEMENT_REGISTER_DECLARE(tokencompressor);
GST_ELEMENT_REGISTER_DECLARE(localmllm);
GST_ELEMENT_REGISTER_DECLARE(cloudoffloadsink);

static gboolean plugin_init(GstPlugin *plugin) {
  saccade::gst::register_metas();
  gboolean registered = GST_ELEMENT_REGISTER(framesampler, plugin);
  registered |= GST_ELEMENT_REGISTER(masgate, plugin);
  registered |= GST_ELEMENT_REGISTER(masoverlay, plugin);
  registered |= GST_ELEMENT_REGISTER(tokencompressor, plugin);
  registered |= GST_ELEMENT_REGISTER(localmllm, plugin);
  registered |= GST_ELEMENT_REGISTER(cloudoffloadsink, plugin);
  return registered;
}

#define PACKAGE "saccade"
#define GST_PACKAGE_ORIGIN "Unknown package origin"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, saccade,
                  "Multimodal language models on live streams: sample, gate, compress, answer, offload",
                  plugin_init, SACCADE_VERSION, "Proprietary", "saccade", GST_PACKAGE_ORIGIN)
