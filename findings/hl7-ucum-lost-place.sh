#!/usr/bin/env bash
# The UCUM library of HL7's own validator converts 2.2 pounds to 0.100 kg: a tenth of what they weigh.
#
# Versions   Maven org.fhir:ucum 1.0.9, which org.hl7.fhir.core and HAPI FHIR bring along
# Expected   By UCUM's table 1 [lb_av] is 453.59237 g, so 2.2 [lb_av] are 0.99790 kg, which is 1.0 kg in two
#            digits.
# Seen       0.100. Where rounding to the digits of the input carries into a new first digit (0.9979 to 1.0),
#            the decimal point stays where it was. 2.1 and 2.3 [lb_av] are converted well.
# Matters    No error, and a plausible number: the weight of a newborn. A server that normalises quantities for
#            its search index with this library (HAPI FHIR can) finds the patient under a tenth of the weight.
#            Send the unit that the receiver works with, and look at what a server gives back.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId><artifactId>see</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.fhir</groupId><artifactId>ucum</artifactId><version>1.0.9</version></dependency>
    <dependency><groupId>xpp3</groupId><artifactId>xpp3</artifactId><version>1.1.4c</version></dependency>
  </dependencies>
</project>
XML
cat > "$work/See.java" <<'JAVA'
import org.fhir.ucum.Decimal;
import org.fhir.ucum.UcumEssenceService;

public final class See {
    public static void main(String[] arguments) throws Exception {
        var service = new UcumEssenceService(See.class.getResourceAsStream("/ucum-essence.xml"));
        for (String value : new String[] {"2.1", "2.2", "2.3"}) {
            System.out.println(value + " [lb_av] = " + service.convert(new Decimal(value), "[lb_av]", "kg").asDecimal() + " kg");
        }
    }
}
JAVA
cd "$work"
mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/jars"
seen=$(java -cp "$work/jars/*" See.java)
echo "$seen"
stated='2.1 [lb_av] = 0.95 kg
2.2 [lb_av] = 0.100 kg
2.3 [lb_av] = 1.0 kg'
[[ $seen == "$stated" ]] || { echo 'CHANGED: 2.2 pounds are converted otherwise than stated'; exit 1; }
echo 'AS STATED: 2.2 pounds become 0.100 kg.'
