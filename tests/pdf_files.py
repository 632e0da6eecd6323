"""PDFs as hospitals send them, and as nobody should: made here, with a certificate authority of the test."""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import segno
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fpdf import FPDF
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko_certvalidator.registry import SimpleCertificateStore


def result_pdf(*lines: str, code: str = "", pages: int = 1, script: str = "", number: int = 0) -> bytes:
    """A report with these lines; a QR code on its last page. `number` makes it another than all others."""
    pdf = FPDF()
    pdf.set_creation_date(datetime(2026, 11, 2, 8, number % 60, tzinfo=UTC))
    pdf.set_title(f"report {number}")
    pdf.set_font("helvetica", size=11)
    for page in range(pages):
        pdf.add_page()
        for line in (*lines, f"page {page + 1}"):
            pdf.cell(text=line, new_x="LMARGIN", new_y="NEXT")
    if code:
        buffer = BytesIO()
        segno.make_qr(code, error="q").save(buffer, kind="png", scale=4)
        pdf.image(buffer, x=150, y=20, w=40)
    return _with_script(bytes(pdf.output()), script) if script else bytes(pdf.output())


def _with_script(data: bytes, script: str) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(data))
    from pyhanko.pdf_utils import generic

    action = generic.DictionaryObject(
        {
            generic.pdf_name("/S"): generic.pdf_name("/JavaScript"),
            generic.pdf_name("/JS"): generic.pdf_string(script),
        }
    )
    names = generic.DictionaryObject(
        {
            generic.pdf_name("/JavaScript"): generic.DictionaryObject(
                {
                    generic.pdf_name("/Names"): generic.ArrayObject(
                        [generic.pdf_string("run"), writer.add_object(action)]
                    )
                }
            )
        }
    )
    writer.root["/Names"] = names
    writer.root["/OpenAction"] = action
    writer.update_root()
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@dataclass
class Authority:
    """A certificate authority, and whom it certified."""

    name: str = "CA of the test"

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = self._certificate(self.name, self._key.public_key(), is_authority=True)

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def signer(self, name: str) -> signers.SimpleSigner:
        """Somebody who signs."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(name, key.public_key(), is_authority=False)
        private = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        store = SimpleCertificateStore()
        store.register(_asn1(self._root))
        return signers.SimpleSigner(
            signing_cert=_asn1(certificate),
            signing_key=asn1_keys.PrivateKeyInfo.load(private),
            cert_registry=store,
        )

    def _certificate(self, name: str, key: Any, *, is_authority: bool) -> x509.Certificate:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        begun = datetime.now(UTC) - timedelta(days=1)
        usage = dict.fromkeys(
            (
                *("data_encipherment", "key_encipherment", "key_agreement", "encipher_only"),
                "decipher_only",
            ),
            False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self.name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begun)
            .not_valid_after(begun + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_authority,
                    content_commitment=not is_authority,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    **usage,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def signed(data: bytes, signer: signers.SimpleSigner, field: str = "Signature1") -> bytes:
    """The PDF with a signature of it."""
    out = BytesIO()
    meta = signers.PdfSignatureMetadata(field_name=field, md_algorithm="sha256")
    signers.sign_pdf(IncrementalPdfFileWriter(BytesIO(data)), meta, signer=signer, output=out)
    return out.getvalue()


def changed_later(data: bytes) -> bytes:
    """The signed PDF with another page text in a later revision, as an editor saves it."""
    writer = IncrementalPdfFileWriter(BytesIO(data))
    from pyhanko.pdf_utils import generic

    page = writer.root["/Pages"]["/Kids"].raw_get(0)
    stream = generic.StreamObject(stream_data=b"BT /F1 20 Tf 50 700 Td (9.9) Tj ET")
    page_object = page.get_object()
    page_object["/Contents"] = writer.add_object(stream)
    writer.mark_update(page)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def with_content(content: bytes, *, box: str = "0 0 595 842", packed: bool = False) -> bytes:
    """One page that draws this."""
    filter_ = b"/Filter/FlateDecode" if packed else b""
    body = zlib.compress(content, 9) if packed else content
    return _assembled(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Contents 4 0 R>>" % box.encode(),
        b"<<%b/Length %d>>stream\n%b\nendstream" % (filter_, len(body), body),
    )


def _assembled(*objects: bytes) -> bytes:
    out, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%b\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + head + table + tail


def locked(data: bytes) -> bytes:
    """The PDF, which nobody opens without a password."""
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.pdf_utils.writer import copy_into_new_writer

    writer = copy_into_new_writer(PdfFileReader(BytesIO(data)))
    writer.encrypt(owner_pass="owner", user_pass="secret")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def malformed(seed: int, count: int, whole: bytes) -> Iterator[bytes]:
    """PDFs spoilt in the ways in which files are: cut, mixed, overwritten, with numbers that are not so."""
    chance = random.Random(seed)  # noqa: S311 - the same files each time
    for number in range(count):
        place = chance.randrange(1, len(whole))
        way = number % 8
        if way == 0:
            yield whole[:place]
        elif way == 1:
            yield whole[place:] or b"x"
        elif way == 2:
            yield whole[:place] + chance.randbytes(chance.randrange(1, 400)) + whole[place:]
        elif way == 3:
            spoilt = bytearray(whole)
            for _ in range(chance.randrange(1, 60)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            yield bytes(spoilt)
        elif way == 4:
            size = b"/Length %d" % chance.choice((0, 1, 2**31, 2**63, 10**30))
            yield whole.replace(b"/Length", size + b" /L", chance.randrange(1, 4))
        elif way == 5:
            yield whole.replace(b" 0 R", b" %d R" % chance.randrange(1, 9), chance.randrange(1, 20))
        elif way == 6:
            parts = [whole[i : i + 200] for i in range(0, len(whole), 200)]
            chance.shuffle(parts)
            yield b"%PDF-1.7\n" + b"".join(parts)
        else:
            box = b"/MediaBox [0 0 %d %d]" % (chance.choice((0, 1, 10**7)), chance.choice((0, 3, 10**9)))
            yield whole.replace(b"/MediaBox", box + b" /Old", 1) + chance.randbytes(20)
