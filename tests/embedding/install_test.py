#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether an installed project is one that others can use: a C program compiled with what pkg-config says, Python with the
typelib, and GStreamer with the plugins, which have to find our libraries by themselves.

    install_test.py MESON BUILD COMPILER [--introspection] [--server] [--tool]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
C_SAYS = 'GST_WEBRTC_UPLOAD_ERROR_TOO_LARGE gst-webrtc-upload-error-quark processing'
PYTHON = '''
import gi
gi.require_version('GstWebrtcUpload', '1.0')
from gi.repository import GLib, GstWebrtcUpload as library
error = GLib.Error.new_literal(library.error_quark(), 'too much', library.Error.TOO_LARGE)
assert error.matches(library.error_quark(), library.Error.TOO_LARGE), error
assert not error.matches(library.error_quark(), library.Error.CANCELLED), error
print(library.Error.TOO_LARGE.value_name, GLib.quark_to_string(library.error_quark()), library.State.PROCESSING.value_nick)
'''


def run(*command, env=None):
    done = subprocess.run([str(word) for word in command], env={**os.environ, **(env or {})}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        sys.exit(f'{command}: exit status {done.returncode}\n{done.stdout}')
    return done.stdout.strip()


def expect(what, seen, wanted):
    if seen != wanted:
        sys.exit(f'{what}: {seen!r} instead of {wanted!r}')
    print(f'{what}: as expected')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('meson')
    parser.add_argument('build', type=Path)
    parser.add_argument('compiler')
    for what in ('introspection', 'server', 'tool'):
        parser.add_argument(f'--{what}', action='store_true')
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / 'root'
        run(options.meson, 'install', '-C', options.build, '--no-rebuild', '--quiet', '--destdir', root)
        settings = {o['name']: o['value'] for o in
                    json.loads(run(options.meson, 'introspect', '--buildoptions', options.build))}
        library_folder = root / (settings['prefix'] + '/' + settings['libdir']).lstrip('/')
        # What is not installed must not be found, nor what an earlier version has left in the system.
        for name in ('LD_LIBRARY_PATH', 'GI_TYPELIB_PATH', 'GST_PLUGIN_PATH'):
            os.environ.pop(name, None)
        os.environ['GST_REGISTRY'] = f'{temporary}/registry.bin'

        pkg_config = {'PKG_CONFIG_PATH': f'{library_folder}/pkgconfig', 'PKG_CONFIG_SYSROOT_DIR': str(root)}
        flags = run('pkg-config', '--cflags', '--libs', 'gstreamer-webrtcupload-1.0', env=pkg_config).split()
        # With a sysroot pkg-config puts it before the system's folders as well, which are not in it.
        flags = [flag if not flag.startswith(f'-I{root}') or Path(flag[2:]).is_dir() else '-I' + flag[2 + len(str(root)):]
                 for flag in flags]
        program = Path(temporary) / 'program'
        run(*options.compiler.split(), '-Wall', '-Werror', HERE / 'library.c', '-o', program, *flags)
        expect('a program in C', run(program, env={'LD_LIBRARY_PATH': str(library_folder)}), C_SAYS)

        if options.introspection:
            found = run(sys.executable, '-c', PYTHON, env={'LD_LIBRARY_PATH': str(library_folder),
                                                           'GI_TYPELIB_PATH': f'{library_folder}/girepository-1.0'})
            expect('Python', found, C_SAYS)

        plugins = run('pkg-config', '--variable=pluginsdir', 'gstreamer-webrtcupload-1.0', env=pkg_config)
        plugins = root / plugins.removeprefix(str(root)).lstrip('/')
        for element in ['webrtcupload', 'webrtcuploadsink', 'webrtcresultsink'] + ['webrtcuploadserver'] * options.server:
            run('gst-inspect-1.0', element, env={'GST_PLUGIN_PATH': str(plugins)})
            print(f'{element}: found, with its libraries')
        if options.tool:
            # Its libraries are looked up below the prefix, which is not where DESTDIR has put them.
            tool = root / (settings['prefix'] + '/' + settings['bindir']).lstrip('/') / 'webrtc-upload'
            run(tool, '--help', env={'LD_LIBRARY_PATH': f'{library_folder}:{library_folder}/webrtcupload'})
            print('webrtc-upload: found, with its libraries')


if __name__ == '__main__':
    main()
