#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/reference.md: every property, signal, field of statistics, state and error code of the elements, as GObject's
introspection knows them. The version since when each exists is in the document only: what is new gets the project's.

    reference.py VERSION DOCUMENT           says where the document, and those beside it, and the elements differ
    reference.py VERSION DOCUMENT --write   writes the document anew

Finds the plugins by GST_PLUGIN_PATH and the library's names by GI_TYPELIB_PATH, as `meson devenv` sets them.
"""

import ctypes
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

Every property, signal, field of `stats`, state and error code, and the interface of signallers, with the version since when it exists. Written by `./dev reference` from
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


class FlagsClass(ctypes.Structure):
    _fields_ = [('g_type', ctypes.c_size_t), ('mask', ctypes.c_uint), ('n_values', ctypes.c_uint),
                ('values', ctypes.c_void_p)]


class FlagsValue(ctypes.Structure):
    _fields_ = [('value', ctypes.c_uint), ('name', ctypes.c_char_p), ('nick', ctypes.c_char_p)]


def flag_nicks(gtype, number):
    """As gst-launch-1.0 takes them. Introspection cannot read the nicks of a type that has no typelib."""
    ref = ctypes.CDLL('libgobject-2.0.so.0').g_type_class_ref
    ref.argtypes, ref.restype = [ctypes.c_size_t], ctypes.POINTER(FlagsClass)
    flags = ref(hash(gtype)).contents
    values = (FlagsValue * flags.n_values).from_address(flags.values)
    return '+'.join(value.nick.decode() for value in values if value.value & number)


def default_of(spec):
    if not spec.flags & GObject.ParamFlags.WRITABLE or spec.value_type.is_a(GObject.TYPE_OBJECT):
        return ''
    value = spec.default_value
    if value is None or value == '':
        return ''
    if isinstance(value, bool):
        return str(value).lower()
    # PyGObject gives a plain number for these two from 3.50 on.
    if spec.value_type.is_a(GObject.TYPE_ENUM):
        boxed = GObject.Value(spec.value_type)
        boxed.set_enum(int(value))
        return Gst.value_serialize(boxed)
    if spec.value_type.is_a(GObject.TYPE_FLAGS):
        return flag_nicks(spec.value_type, int(value))
    return f'{value:g}' if isinstance(value, float) else str(value)


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


# Where each has statistics; an upload that has failed has all fields.
RUNNING = {
    'webrtcupload': 'webrtcupload name=it wait-for-peer=true ! fakesink',
    'webrtcuploadsink': 'fakesrc num-buffers=1 sizetype=fixed sizemax=9 ! webrtcuploadsink name=it size=9 webrtcbin-name=pc webrtcbin name=pc',
    'webrtcresultsink': 'videotestsrc num-buffers=1 ! webrtcresultsink name=it channel-timeout=0 webrtcbin-name=pc webrtcbin name=pc',
}


# What a sink has only after a failure, or once its peer has acknowledged a result; the test webrtc-fields sees them.
LATE = {
    'webrtcuploadsink': {'error-code': 'string', 'error-message': 'string'},
    'webrtcresultsink': {'acked': 'uint64', 'error-code': 'string', 'error-message': 'string'},
}


def running(name):
    pipeline = Gst.parse_launch(RUNNING[name])
    pipeline.set_state(Gst.State.PLAYING)
    element = pipeline.get_by_name('it')
    if name == 'webrtcupload':
        element.emit('cancel')
        if not pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR):
            sys.exit('a cancelled upload has posted no error')
    return pipeline, element


def fields(element, name):
    if not element.find_property('stats'):
        return []
    pipeline, element = running(name)
    stats = element.get_property('stats')
    rows = [(field, [type_name(stats.get_field_type(field))])
            for field in (stats.nth_field_name(i) for i in range(stats.n_fields()))]
    pipeline.set_state(Gst.State.NULL)
    return rows + [(field, [kind]) for field, kind in LATE.get(name, {}).items() if not stats.has_field(field)]


def signaller():
    """What the interface has: functions of an implementation, and signals that it emits."""
    info = GstWebrtcUpload.Signaller.__info__
    return sorted((one.get_name(), [kind, ', '.join(argument.get_name() for argument in one.get_arguments()),
                                    {'gboolean': 'boolean', 'void': 'nothing'}[one.get_return_type().get_tag_as_string()]])
                  for kind, all_of_kind in (('called by the element', info.get_vfuncs()), ('signal', info.get_signals()))
                  for one in all_of_kind)


def functions():
    methods = [method.get_symbol() for method in GstWebrtcUpload.Signaller.__info__.get_methods()]
    return sorted(methods + ['gst_webrtc_upload_error_get_type', 'gst_webrtc_upload_error_quark',
                             'gst_webrtc_upload_signaller_get_type', 'gst_webrtc_upload_state_get_type'])


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
    table(library, 'Signaller', ['kind', 'arguments', 'returns'], signaller())
    table(library, 'Functions', [], [(name, []) for name in functions()])
    return '\n'.join(lines).rstrip() + '\n'


def rows_of(text, heading):
    """The first cells' words in backticks, of each table below whose first column is called so."""
    found = set()
    inside = False
    for line in text.splitlines():
        if line.startswith(f'| {heading} |'):
            inside = True
        elif not line.startswith('|'):
            inside = False
        elif inside:
            found.update(re.findall(r'`([^`]+)`', line.split(' | ')[0]))
    return found


def section(text, heading):
    return text.split(f'\n{heading}\n', 1)[1].split('\n## ', 1)[0]


def other_documents(folder):
    """What the other pages say of the same things, in lines that say where they are wrong."""
    problems = []

    def compare(where, written, existing):
        problems.extend(f'{where}: there is no {name}' for name in sorted(written - existing))
        problems.extend(f'{where}: {name} is missing' for name in sorted(existing - written))

    elements = (folder / 'elements.md').read_text(encoding='utf-8')
    everything = ''.join(page.read_text(encoding='utf-8') for page in folder.glob('*.md') if page.name != 'reference.md')
    all_signals = set()
    for name in ELEMENTS:
        element = Gst.ElementFactory.make(name)
        own = {row for row, _ in properties(element)}
        told = signals(element)
        all_signals |= {row for row, cells in told if cells[0] == 'signal'}
        problems.extend(f'{name}: no page but reference.md names {row}'
                        for row in sorted(own | {row for row, _ in told}) if f'`{row}' not in everything)
        if f'\n## {name}\n' in elements:
            written = rows_of(section(elements, f'## {name}'), 'property')
            compare(f'elements.md, {name}, tables of properties', written, own & written)
    compare('elements.md, table of signals', rows_of(elements, 'signal') - set(ELEMENTS) - {'notify::state'}, all_signals)
    table = section(elements, '## Errors and statistics')
    for name in ('webrtcupload', 'webrtcuploadsink', 'webrtcresultsink'):
        written = set()
        for line in table.splitlines():
            cells = line.split(' | ')
            if len(cells) == 4 and (cells[2] == 'all' or name.removeprefix('webrtc') in cells[2].split(', ')):
                written.update(re.findall(r'`([^`]+)`', cells[0]))
        existing = {row for row, _ in fields(Gst.ElementFactory.make(name), name)}
        compare(f'elements.md, fields of stats, {name}', written, existing)
    protocol = section((folder / 'protocol.md').read_text(encoding='utf-8'), '## Errors')
    compare('protocol.md, errors', rows_of(protocol, 'code'), {row for row, _ in values(GstWebrtcUpload.Error)})
    return problems


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
    if problems := other_documents(path.parent):
        sys.exit('\n'.join(problems))


if __name__ == '__main__':
    main()
