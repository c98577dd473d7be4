# SPDX-License-Identifier: Apache-2.0
"""A Python build backend that answers with the metadata of a source distribution and no more.

`pip download` asks a source distribution's own backend for its metadata, and for the archives we
fetch that would mean compiling all of them only to throw the result away. tools/fetch.py puts this
file on the path under that backend's name instead. It never builds anything.
"""

import os
import shutil
import sys

# Where a distribution that names no backend looks for one.
__legacy__ = sys.modules[__name__]


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Copy the archive's PKG-INFO, beside which pip runs a backend, to where pip wants it."""
    fields = {}
    with open("PKG-INFO", encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                break
            name, _, value = line.partition(":")
            fields.setdefault(name, value.strip())
    folder = "%s-%s.dist-info" % (fields["Name"].replace("-", "_"), fields["Version"])
    os.mkdir(os.path.join(metadata_directory, folder))
    shutil.copyfile("PKG-INFO", os.path.join(metadata_directory, folder, "METADATA"))
    return folder


def get_requires_for_build_wheel(config_settings=None):
    """Nothing is needed to read metadata."""
    return []


def _refuse(*arguments, **settings):
    raise RuntimeError("this backend only reads metadata; it builds nothing")


def __getattr__(name):
    """A backend of the archive's own may import the other hooks by name; none of them may run."""
    if name.startswith("__"):
        raise AttributeError(name)
    return _refuse
