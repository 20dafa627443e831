#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/reference.md: every property, signal, field of statistics, state and error code of the elements, as GObject's
introspection knows them. The version since when each exists is in the document only: what is new gets the project's.

    reference.py VERSION DOCUMENT           says where the document and the elements differ
    reference.py VERSION DOCUMENT --write   writes the document anew

Finds the plugins by GST_PLUGIN_PATH and the library's names by GI_TYPELIB_PATH, as `meson devenv` sets them.
"""

import difflib
import re
import sys
from pathlib import Path

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstWebrtcUpload', '1.0')
from gi.repository import GObject, Gst, GstWebRTC, GstWebrtcUpload  # noqa: E402,F401

ELEMENTS = ['webrtcupload', 'webrtcuploadsink', 'webrtcresultsink', 'webrtcuploadserver', 'webrtcuploadopaque',
            'webrtcuploadvp8dec', 'webrtcuploadvp9dec']
HEAD = '''# Reference

Every property, signal, field of `stats`, state and error code, with the version since when it exists. Written by `./dev reference` from
what `gst-inspect-1.0` and introspection see; a test fails when the elements and this page differ. [elements.md](elements.md) says how the parts work
together, and [on which thread](elements.md#signals-and-threads) each signal is emitted.
'''
# Of gst/gstparamspecs.h; introspection does not have them.
MUTABLE = {1 << 12: 'PLAYING', 1 << 11: 'PAUSED', 1 << 10: 'READY'}


def type_name(gtype):
    return {'gchararray': 'string', 'gboolean': 'boolean', 'void': 'nothing', 'GError': 'GError'}.get(
        gtype.name, gtype.name.removeprefix('g') if gtype.name in ('gint', 'guint', 'gint64', 'guint64', 'gdouble')
        else gtype.name)


def settable(spec):
    if not spec.flags & GObject.ParamFlags.WRITABLE:
        return 'read only'
    return 'up to ' + next((name for flag, name in MUTABLE.items() if int(spec.flags) & flag), 'any state')


def default_of(spec):
    if not spec.flags & GObject.ParamFlags.WRITABLE or spec.value_type.is_a(GObject.TYPE_OBJECT):
        return ''
    value = spec.default_value
    if value is None or value == '':
        return ''
    if isinstance(value, bool):
        return str(value).lower()
    return value.value_nick if hasattr(value, 'value_nick') else f'{value:g}' if isinstance(value, float) else str(value)


def code(text):
    return f'`{text}`' if text else ''


def properties(element):
    own = sorted((spec for spec in GObject.list_properties(element) if spec.owner_type == element.__gtype__),
                 key=lambda spec: spec.name)
    return [(spec.name, [type_name(spec.value_type), code(default_of(spec)), settable(spec),
                         spec.blurb.replace('|', '\\|')]) for spec in own]


def signals(element):
    rows = []
    for name in GObject.signal_list_names(element.__gtype__):
        query = GObject.signal_query(name, element.__gtype__)
        kind = 'action' if query.signal_flags & GObject.SignalFlags.ACTION else 'signal'
        rows.append((name, [kind, ', '.join(type_name(GObject.GType(t)) for t in query.param_types),
                            type_name(GObject.GType(query.return_type))]))
    return sorted(rows)


def failed_upload():
    """A webrtcupload that has had an upload, and that has failed: then all fields are there."""
    pipeline = Gst.parse_launch('webrtcupload name=upload wait-for-peer=true ! fakesink')
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_by_name('upload').emit('cancel')
    if not pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR):
        sys.exit('a cancelled upload has posted no error')
    return pipeline, pipeline.get_by_name('upload')


def fields(element, name):
    if not element.find_property('stats'):
        return []
    pipeline = None
    if name == 'webrtcupload':
        pipeline, element = failed_upload()
    stats = element.get_property('stats')
    rows = [(field, [type_name(stats.get_field_type(field))])
            for field in (stats.nth_field_name(i) for i in range(stats.n_fields()))]
    if pipeline:
        pipeline.set_state(Gst.State.NULL)
    return rows


def values(enumeration):
    listed = sorted(enumeration.__enum_values__.items())
    return [(value.value_nick, [str(number), value.value_name if value.value_name.isupper() else
                                f'{enumeration.__gtype__.name.upper()}']) for number, value in listed]


def read_since(text):
    """(heading, name) -> version, of a document that there is."""
    since = {}
    element = table = ''
    for line in text.splitlines():
        if line.startswith('## '):
            element, table = line[3:], ''
        elif line.startswith('### '):
            table = line[4:]
        elif row := re.match(r'\| `([^`]+)` \|.*\| ([0-9.]+) \|$', line):
            since[element, table, row[1]] = row[2]
    return since


def document(version, old):
    since = read_since(old)
    lines = [HEAD]

    def table(element, title, columns, rows):
        if not rows:
            return
        lines.append(f'### {title}\n')
        lines.append('| ' + ' | '.join(['name', *columns, 'since']) + ' |')
        lines.append('| --- ' * (len(columns) + 2) + '|')
        for name, cells in rows:
            lines.append('| ' + ' | '.join([f'`{name}`', *cells, since.get((element, title, name), version)]) + ' |')
        lines.append('')

    for name in ELEMENTS:
        element = Gst.ElementFactory.make(name)
        if not element:
            sys.exit(f'there is no {name}')
        lines.append(f'## {name}\n')
        lines.append(f'{element.get_metadata("description")}.\n')
        table(name, 'Properties', ['type', 'default', 'settable', 'what'], properties(element))
        table(name, 'Signals', ['kind', 'arguments', 'returns'], signals(element))
        table(name, 'Statistics', ['type'], fields(element, name))
    library = 'libgstwebrtcupload-1.0'
    lines.append(f'## {library}\n')
    lines.append('`GstWebrtcUpload` 1.0 for languages with introspection, `webrtcupload/webrtcupload.h` for C.\n')
    table(library, 'States', ['value'], [(nick, cells[:1]) for nick, cells in values(GstWebrtcUpload.State)])
    table(library, 'Errors', ['value', 'in C'],
          [(nick, [cells[0], code(cells[1])]) for nick, cells in values(GstWebrtcUpload.Error)])
    table(library, 'Functions', [], [(name, []) for name in (
        'gst_webrtc_upload_error_get_type', 'gst_webrtc_upload_error_quark', 'gst_webrtc_upload_state_get_type')])
    return '\n'.join(lines).rstrip() + '\n'


def main():
    version, path = sys.argv[1], Path(sys.argv[2])
    Gst.init(None)
    old = path.read_text(encoding='utf-8') if path.exists() else ''
    new = document(version, old)
    if sys.argv[3:] == ['--write']:
        path.write_text(new, encoding='utf-8')
    elif new != old:
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(path), 'the elements'))
        sys.exit(f'\n{path} and the elements differ; `./dev reference` writes it anew')


if __name__ == '__main__':
    main()
