# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by openssl."""
import pathlib
import subprocess


def openssl(*args, folder):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name="Other CA"):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "ca.crt"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.crt", folder=self.folder)

    def issue(self, name, alternatives, days=30, key=("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")):
        """Answers (certificate, key). days=0: it has expired when it is made."""
        (self.folder / "ext").write_text(f"subjectAltName={alternatives}\n")
        openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr", folder=self.folder)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", str(days),
                "-extfile", "ext", "-out", f"{name}.crt", folder=self.folder)
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"
