//! What a plugin file imports and exports, read off its sections alone.
//!
//! So that a file that can't be a plugin is refused in milliseconds, before anything is validated,
//! encoded or compiled. Follows no type and no index; what it says holds only if the rest of the
//! file turns out to be sound.

use std::collections::BTreeSet;

use wasmparser::{
    BinaryReaderError, ComponentExportSectionReader, ComponentImportSectionReader,
    CustomSectionReader, ExportSectionReader, ImportSectionReader, Parser, Payload,
};

/// Most names that are kept of each kind. Whether there may be so many is the validator's to say.
const NAMES_MAX: usize = 10_000;
const COMPONENT_TYPE: &str = "component-type";
const START: &str = "_start";

/// The outermost imports and exports of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// A component's imports, or the modules that a core module imports from.
    pub(super) imports: BTreeSet<String>,
    /// A component's exports, or a core module's up to a `#`: what stands before that is an
    /// interface.
    pub(super) exports: BTreeSet<String>,
    /// Whether a core module says which types of the contract it was built for.
    pub(super) has_type: bool,
    /// Whether a core module is a program.
    pub(super) is_command: bool,
}

impl Survey {
    /// Reads the sections of a file.
    pub(super) fn of(file: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut survey = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(file) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                // What lies inside imports from what lies around it.
                _ if depth > 0 => (),
                Payload::ComponentImportSection(imports) => survey.component_imports(imports)?,
                Payload::ComponentExportSection(exports) => survey.component_exports(exports)?,
                Payload::ImportSection(imports) => survey.module_imports(imports)?,
                Payload::ExportSection(exports) => survey.module_exports(exports)?,
                Payload::CustomSection(section) => survey.custom_section(&section),
                _ => (),
            }
        }
        Ok(survey)
    }

    fn component_imports(
        &mut self,
        imports: ComponentImportSectionReader<'_>,
    ) -> Result<(), BinaryReaderError> {
        imports.into_iter().try_for_each(|import| {
            keep(&mut self.imports, &import?.name.full_name());
            Ok(())
        })
    }

    fn component_exports(
        &mut self,
        exports: ComponentExportSectionReader<'_>,
    ) -> Result<(), BinaryReaderError> {
        exports.into_iter().try_for_each(|export| {
            keep(&mut self.exports, &export?.name.full_name());
            Ok(())
        })
    }

    fn module_imports(
        &mut self,
        imports: ImportSectionReader<'_>,
    ) -> Result<(), BinaryReaderError> {
        imports.into_imports().try_for_each(|import| {
            keep(&mut self.imports, import?.module);
            Ok(())
        })
    }

    fn module_exports(
        &mut self,
        exports: ExportSectionReader<'_>,
    ) -> Result<(), BinaryReaderError> {
        exports.into_iter().try_for_each(|export| {
            let name = export?.name;
            self.is_command |= name == START;
            keep(&mut self.exports, name.split('#').next().unwrap_or(name));
            Ok(())
        })
    }

    fn custom_section(&mut self, section: &CustomSectionReader<'_>) {
        self.has_type |= section.name().starts_with(COMPONENT_TYPE);
    }
}

fn keep(names: &mut BTreeSet<String>, name: &str) {
    if names.len() < NAMES_MAX && !names.contains(name) {
        names.insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(wat: &str) -> Survey {
        Survey::of(&wat::parse_str(wat).unwrap()).unwrap()
    }

    #[test]
    fn a_component_is_asked_for_its_own_names_and_not_for_those_inside() {
        let seen = survey(
            r#"(component (import "a:b/c@1.0.0" (instance)) (instance $none)
                (component (import "d:e/f" (instance)))
                (core module (import "g" "h" (func)) (export "i" (func 0)))
                (export "j:k/l" (instance $none)))"#,
        );
        assert_eq!(seen.imports, ["a:b/c@1.0.0".to_owned()].into());
        assert_eq!(seen.exports, ["j:k/l".to_owned()].into());
    }

    #[test]
    fn a_module_is_asked_for_interfaces() {
        let seen = survey(
            r#"(module (import "a:b/c" "x" (func)) (import "a:b/c" "y" (func))
                (export "d:e/f#x" (func 0)) (export "d:e/f#y" (func 1)) (export "_start" (func 0)))"#,
        );
        assert_eq!(seen.imports, ["a:b/c".to_owned()].into());
        assert_eq!(seen.exports, ["d:e/f".to_owned(), "_start".to_owned()].into());
        assert!(seen.is_command && !seen.has_type);
    }
}
