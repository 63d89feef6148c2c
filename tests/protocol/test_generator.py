#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_generator.py INTERFACES_PY: what the table generator refuses."""

import os
import subprocess
import sys
import tempfile
import unittest

GENERATOR = sys.argv[1]

GOOD_XML = """<protocol name="t">
  <interface name="wl_buffer" version="1"><request name="destroy" type="destructor"/></interface>
  <interface name="a_thing" version="3">
    <request name="take"><arg name="fd" type="fd"/></request>
    <request name="show" since="2">
      <arg name="b" type="object" interface="wl_buffer" allow-null="true"/>
    </request>
    <event name="gone"/>
  </interface>
</protocol>
"""
GOOD_ALLOW = "a_thing 2 because  # a comment\n"
GOOD_SPECIAL = "a_thing.take fd=file\na_thing.show special=uses_buffer\n"


class Generator(unittest.TestCase):
    def generate(self, xml=GOOD_XML, allow=GOOD_ALLOW, special=GOOD_SPECIAL, mode="allow"):
        with tempfile.TemporaryDirectory() as directory:
            def path(name, text=None):
                full = os.path.join(directory, name)
                if text is not None:
                    with open(full, "w", encoding="utf-8") as file:
                        file.write(text)
                return full
            outputs = [path("out.c")] + ([path("out.h")] if mode == "allow" else [])
            inputs = [path("allow", allow), path("special", special), path("t.xml", xml)]
            run = subprocess.run([GENERATOR, mode, *outputs, *inputs], text=True,
                                 capture_output=True, check=False)
            self.output = ""
            if os.path.exists(outputs[0]):
                with open(outputs[0], encoding="utf-8") as file:
                    self.output = file.read()
            return run.returncode, run.stderr

    def expect_refused(self, text, **inputs):
        status, errors = self.generate(**inputs)
        self.assertEqual(status, 1)
        self.assertIn(text, errors)
        self.assertEqual(self.output, "")

    def test_good_input_is_accepted(self):
        self.assertEqual(self.generate(), (0, ""))
        self.assertIn('{ "a_thing", 2, false }', self.output)

    def test_local_descriptors_make_all_that_leads_to_them_local(self):
        xml = GOOD_XML.replace("</protocol>", """
          <interface name="a_factory" version="1"><request name="make">
            <arg name="id" type="new_id" interface="a_thing"/></request></interface>
          <interface name="another" version="1"><request name="use">
            <arg name="thing" type="object" interface="a_thing"/></request></interface>
        </protocol>""")
        allow = "a_factory 1 because\nanother 1 because\na_thing 3 because\n"
        for kind, local in (("file", "false"), ("dmabuf", "true"), ("syncobj", "true")):
            special = GOOD_SPECIAL.replace("file", kind)
            self.assertEqual(self.generate(xml=xml, allow=allow, special=special), (0, ""))
            self.assertIn(f'{{ "a_factory", 1, {local} }}', self.output)
            self.assertIn(f'{{ "a_thing", 3, {local} }}', self.output)
            self.assertIn('{ "another", 1, false }', self.output)

    def test_local_descriptors_go_alone_and_in_requests(self):
        twice = GOOD_XML.replace('type="fd"/>', 'type="fd"/><arg name="second" type="fd"/>')
        self.expect_refused("goes alone", xml=twice,
                            special=GOOD_SPECIAL.replace("file", "dmabuf"))
        event = GOOD_XML.replace('<event name="gone"/>',
                                 '<event name="gone"><arg name="fd" type="fd"/></event>')
        self.expect_refused("in a request", xml=event,
                            special=GOOD_SPECIAL + "a_thing.gone fd=syncobj\n")

    def test_version_is_lowered_to_the_xml_files(self):
        self.assertEqual(self.generate(allow="a_thing 9 because\n")[0], 0)
        self.assertIn('{ "a_thing", 3, false }', self.output)

    def test_allowed_interface_must_exist(self):
        self.expect_refused("a_thong is in no XML file", allow="a_thong 1 because\n")

    def test_allowed_interface_is_listed_once(self):
        self.expect_refused("twice", allow="a_thing 1 because\na_thing 1 because\n")

    def test_allowed_interface_needs_a_version_and_a_reason(self):
        self.expect_refused("want", allow="a_thing 1\n")
        self.expect_refused("want", allow="a_thing because of\n")
        self.expect_refused("want", allow="a_thing 0 because\n")

    def test_argument_named_like_a_time_needs_its_unit(self):
        xml = GOOD_XML.replace('<event name="gone"/>',
                               '<event name="gone"><arg name="time" type="uint"/></event>')
        self.expect_refused("a_thing.gone: has a time", xml=xml)
        for unit in ("ms", "none"):
            special = GOOD_SPECIAL + f"a_thing.gone time={unit}:time\n"
            self.assertEqual(self.generate(xml=xml, special=special), (0, ""))
        self.expect_refused("no such", xml=xml, special=GOOD_SPECIAL + "a_thing.gone time=h:time\n")
        self.expect_refused("no such", xml=xml, special=GOOD_SPECIAL + "a_thing.gone time=ms:at\n")
        self.expect_refused("not the arguments", xml=xml,
                            special=GOOD_SPECIAL + "a_thing.gone time=ns:time\n")

    def test_special_message_must_exist(self):
        self.expect_refused("no XML file", special=GOOD_SPECIAL + "a_thing.taken fd=file\n")
        self.expect_refused("no XML file", special=GOOD_SPECIAL + "a_thong.take fd=file\n")

    def test_special_message_must_be_unambiguous(self):
        xml = GOOD_XML.replace('"gone"', '"take"')
        self.expect_refused("ambiguous", xml=xml)

    def test_special_line_must_be_known_words(self):
        self.expect_refused("none of", special="a_thing.take fd=socket\n")
        self.expect_refused("none of", special="a_thing.take kind=file\n")
        self.expect_refused("says nothing", special="a_thing.take\n")

    def test_special_message_is_listed_once(self):
        self.expect_refused("twice", special=GOOD_SPECIAL + "a_thing.take fd=pipe\n")

    def test_descriptor_needs_a_kind(self):
        self.expect_refused("a_thing.take", special="a_thing.show special=uses_buffer\n")

    def test_kind_needs_a_descriptor(self):
        self.expect_refused("a_thing.gone", special=GOOD_SPECIAL + "a_thing.gone fd=pipe\n")

    def test_buffer_argument_needs_a_special(self):
        self.expect_refused("a_thing.show", special="a_thing.take fd=file\n")

    def test_new_buffer_needs_a_special(self):
        self.expect_refused("a_thing.show", special="a_thing.take fd=file\n",
                            xml=GOOD_XML.replace('type="object"', 'type="new_id"'))

    def test_interface_of_an_argument_must_exist(self):
        xml = GOOD_XML.replace('interface="wl_buffer"', 'interface="wl_puffer"')
        self.expect_refused("wl_puffer is in no file", xml=xml)

    def test_argument_type_must_be_known(self):
        self.expect_refused("unknown", xml=GOOD_XML.replace('type="fd"', 'type="file"'))

    def test_interface_name_must_be_an_identifier(self):
        self.expect_refused("identifier", xml=GOOD_XML.replace('"a_thing"', '"a thing;"'))

    def test_two_new_ids_are_refused(self):
        new_ids = '<arg name="x" type="new_id" interface="wl_buffer"/>' * 2
        xml = GOOD_XML.replace('<arg name="fd" type="fd"/>', new_ids)
        self.expect_refused("more arguments", xml=xml)

    def test_wrong_usage_is_status_2(self):
        run = subprocess.run([GENERATOR], capture_output=True, check=False)
        self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(failed > 0)
